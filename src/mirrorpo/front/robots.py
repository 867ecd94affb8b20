"""``mirrorpo.calibrate``, ``limbs`` and ``render``: what an agent of a robot does, in pictures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorpo import files, places, runs
from mirrorpo.front.run_folder import PathLike, Progress, RunFolder, as_path, as_text, silent
from mirrorpo.front.settings import CalibrateSettings, LimbSettings, RenderSettings
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mirrorpo.agents.limb_use import LimbUse
    from mirrorpo.reporting.robots.calibration_run import Calibrated

_STRIP, _FILM = ".png", ".gif"


@runs.holding()
def calibrate(
    agent: PathLike,
    *,
    task: str,
    target: float,
    episodes: int = CalibrateSettings.episodes,
    seed: int = CalibrateSettings.seed,
    backend: str | None = CalibrateSettings.backend,
    out: PathLike | None = None,
) -> Calibrated:
    """Find the penalty's coefficient at which an agent has a wanted true return.

    The return at every coefficient is computed from one set of episodes; the return at the found
    one, rounded to three digits, is then measured again on fresh episodes.

    >>> import mirrorpo as mpo
    >>> mpo.calibrate("ant-original", task="tla", target=1500).rounded  # doctest: +SKIP

    Args:
        agent: name of a shipped agent, or its file.
        task: a task with a penalty, such as tla.
        target: the wanted mean true return, below the one without the penalty.
        episodes: number of episodes of each of the two measurements.
        seed: the seed of start states and action noise; the second measurement has the next one.
        backend: physics engine; the task's own by default.
        out: new folder for calibration.csv, calibration.json and calibration.png; nothing is
            written by default.

    Raises:
        ValueError: an unknown name, a number out of range, a target that no coefficient reaches,
            or a folder that is not new.
    """
    asked = CalibrateSettings(episodes, seed, backend)
    folder = None if out is None else as_path(out, "out")
    text = as_text(agent, "agent")
    if folder is not None:
        places.check_new_folder(folder, f"--out {folder}")
    start_jax()
    from mirrorpo.reporting.robots import calibration_run

    if folder is not None:
        runs.claim_folder(folder)
    found = calibration_run.calibrate(text, task, target, asked.episodes, asked.seed, asked.backend)
    if folder is not None:
        files.write_folder_atomically(folder, found.write)
    return found


@runs.holding()
def limbs(
    *agent: PathLike,
    task: str,
    out: PathLike | None = None,
    episodes: int = LimbSettings.episodes,
    seed: int = LimbSettings.seed,
    backend: str | None = LimbSettings.backend,
    progress: Progress = silent,
) -> LimbComparison:
    """Compare how much agents use each limb: mean of the absolute clipped actions.

    Args:
        agent: names of shipped agents, or their files.
        task: to act on, such as tla; its penalty does not matter.
        out: plot to write, ending in .png; a .csv of the same name goes beside it. Nothing is
            written by default.
        episodes: number of episodes of each agent.
        seed: the seed of start states and action noise, the same for all agents.
        backend: physics engine; the task's own by default.
        progress: told the agents done, all agents, and which one acts.

    Raises:
        ValueError: no agent, an unknown name, a robot whose limbs are not listed, a number out of
            range, or a file that exists already.
    """
    if not agent:
        raise ValueError("Name at least one agent.")
    asked = LimbSettings(episodes, seed, backend)
    file = None if out is None else as_path(out, "out")
    texts = [as_text(one, "agent") for one in agent]
    if file is not None:
        places.check_new(file, f"--out {file}", _STRIP)
    start_jax()
    from mirrorpo.agents import agent_files, limb_use
    from mirrorpo.reporting.robots import limb_plot
    from mirrorpo.simulation import tasks

    if file is not None:
        # The plot is written last: a table without it is what a killed command left.
        beside = file.with_suffix(".csv")
        places.check_replaceable(beside, f"--out {beside}", limb_plot.MARK)
    loaded = tasks.robot(UserText(task), "taken apart into limbs", asked.backend)
    found = [agent_files.load(text) for text in texts]
    if file is not None:
        runs.claim_file(file)
        runs.claim_replaceable(beside, limb_plot.MARK)
    names = [card.name for _, card in found]
    # Checkpoints of different runs share their names; their files do not.
    labels = names if len(set(names)) == len(names) else texts
    uses: dict[str, LimbUse] = {}
    for label, (policy, _) in zip(labels, found, strict=True):
        progress(len(uses), len(found), f"{label} on {task}")
        uses[label] = limb_use.measure(policy, loaded, asked.episodes, asked.seed)
    title = f"mean |action| on {task} ({loaded.backend}), {asked.episodes} episodes"
    done = LimbComparison(uses, loaded.penalty.limb if loaded.penalty else None, title)
    if file is not None:
        done._write(file)
    return done


@dataclass(frozen=True, eq=False)
class LimbComparison:
    """How much agents use each limb.

    Attributes:
        uses: what each agent did in each episode, by its name.
        penalised: the limb that the task penalises; None where it has no penalty.
        title: the task, its physics engine and the number of episodes.
    """

    uses: Mapping[str, LimbUse]
    penalised: str | None
    title: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per agent and limb: mean |action|, mean sum of squares, standard errors."""
        from mirrorpo.reporting.robots import limb_plot

        return limb_plot.to_frame(self.uses)

    def plot(self) -> Figure:
        """A group of bars for each limb, one for each agent, with standard errors."""
        from mirrorpo.reporting.robots import limb_plot

        return limb_plot.draw(self.uses, self.penalised, self.title)

    def _write(self, file: Path) -> None:
        from mirrorpo.reporting.robots import limb_plot

        table = self.table
        files.write_atomically(
            file.with_suffix(".csv"), lambda part: table.to_csv(part, index=False)
        )
        limb_plot.save(file, self.plot())

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))


@runs.holding()
def render(
    agent: PathLike,
    *,
    out: PathLike | None = None,
    task: str | None = RenderSettings.task,
    seed: int = RenderSettings.seed,
    steps: int = RenderSettings.steps,
    frames: int | None = RenderSettings.frames,
    backend: str | None = RenderSettings.backend,
    progress: Progress = silent,
) -> Drawing:
    """Draw one episode of an agent: a strip of frames, or an animation at the robot's own speed.

    The limb that the task penalises is red.

    Args:
        agent: name of a shipped agent, or its file.
        out: picture to write, ending in .png for a strip or in .gif for an animation. By default
            a strip in a temporary file, which is removed with the result; `Drawing.save` keeps it.
        task: to act on; the agent's own by default.
        seed: the seed of the start state and the action noise.
        steps: the number of steps of the episode, which ends earlier if the robot falls.
        frames: pictures, evenly spread over the episode; by default 8 in a strip and about 12 a
            second in an animation.
        backend: physics engine; the agent's own by default on its own task.
        progress: told the pictures of an animation that are drawn, and all.

    Raises:
        ValueError: an unknown name, a robot that cannot be drawn, a number out of range, or a file
            that exists already.
    """
    asked = RenderSettings(task, seed, steps, frames, backend)
    text = as_text(agent, "agent")
    if out is not None:
        places.check_new(as_path(out, "out"), f"--out {out}", _STRIP, _FILM)
    start_jax()
    from mirrorpo.agents import agent_files
    from mirrorpo.reporting.robots import poses, robot_drawing
    from mirrorpo.simulation import tasks

    policy, card = agent_files.load(text)
    name = UserText(asked.task) if asked.task else card.task
    engine = asked.backend or (card.backend if name == card.task else None)
    loaded = tasks.robot(name, "drawn", engine, episode_length=asked.steps)
    folder = None
    if out is None:
        folder = RunFolder(Path(tempfile.mkdtemp(prefix="mirrorpo-drawing-")), is_temporary=True)
        file = folder.path / f"{files.file_name(card.name)}{_STRIP}"
    else:
        file = Path(out)
        runs.claim_file(file, _STRIP, _FILM)
    episode = poses.record(policy, loaded, asked.seed)
    limb = loaded.penalty.limb if loaded.penalty else None
    done = f"{len(episode)} steps of {card.name} on {name}: true return {episode.total:.1f}"
    if file.suffix == _FILM:
        robot_drawing.save_animation(
            file,
            episode,
            asked.frames,
            highlight=limb,
            progress=lambda drawn, of: progress(drawn, of, "drawing"),
        )
    else:
        title = f"{done}; {limb}, in red, is penalised" if limb else done
        robot_drawing.save_strip(file, episode, asked.frames or 8, title, highlight=limb)
    return Drawing(file, len(episode), episode.total, done, folder)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture of one episode.

    Attributes:
        file: the picture; for as long as this is there, if no file was named.
        steps: the number of steps of the episode.
        true_return: the true return of these.
        title: agent, task, steps and true return in words.
    """

    file: Path
    steps: int
    true_return: float
    title: str
    _folder: RunFolder | None

    @runs.holding()
    def save(self, file: PathLike) -> Path:
        """Copy the picture to a new file of the same ending.

        Raises:
            ValueError: another ending, something is there already, or the place cannot be written.
        """
        to = as_path(file, "file")
        runs.claim_file(to, self.file.suffix)
        files.write_atomically(to, lambda part: shutil.copyfile(self.file, part))
        return to

    def __str__(self) -> str:
        return f"{self.file}: {self.title}."

    def _repr_png_(self) -> bytes | None:
        return self.file.read_bytes() if self.file.suffix == _STRIP else None
