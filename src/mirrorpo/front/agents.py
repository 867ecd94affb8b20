"""``mirrorpo.train_agent``, ``pick_agent`` and ``list_agents``: source agents."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mirrorpo import digits, json_lines, runs
from mirrorpo.front import options as given
from mirrorpo.front.options import PPOOptions
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    Progress,
    ResultInFolder,
    RunFolder,
    as_path,
    choose,
    silent,
    writing,
)
from mirrorpo.front.settings import AgentTrainingSettings, PickSettings
from mirrorpo.runtime.start import start_jax
from mirrorpo.training_settings import PPOSettings
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mirrorpo.agents.agent_files import AgentCard


def list_agents() -> tuple[AgentCard, ...]:
    """The cards of the agents that come with MirrorPO: task, true return, and how they act.

    >>> import mirrorpo as mpo
    >>> [card.name for card in mpo.list_agents() if card.task == "hopper"]  # doctest: +SKIP
    """
    start_jax()
    from mirrorpo.agents import agent_files

    return agent_files.shipped()


def train_agent(
    task: str,
    settings: PPOSettings | None = None,
    *,
    out: Out = None,
    seed: int = AgentTrainingSettings.seed,
    backend: str | None = AgentTrainingSettings.backend,
    start_from: PathLike | None = AgentTrainingSettings.start_from,
    until_return: float | None = AgentTrainingSettings.until_return,
    evaluate_every: int = AgentTrainingSettings.evaluate_every,
    progress: Progress = silent,
    **options: Unpack[PPOOptions],
) -> AgentTraining:
    """Train a source agent by PPO, keeping a checkpoint at each evaluation.

    >>> import mirrorpo as mpo
    >>> run = mpo.train_agent("hopper", out="runs/hopper", until_return=2060)  # doctest: +SKIP
    >>> mpo.pick_agent(run, near=1000, name="hopper-worse").file  # doctest: +SKIP

    Args:
        task: ant, tla, hopper, walker2d or halfcheetah; gym:ID, an environment of Gymnasium;
            playground:NAME, one of MuJoCo Playground; or FILE.py:FUNCTION, which returns either.
        settings: PPO's settings, ready-made, in place of single options.
        out: run folder, in which the same call resumes an interrupted run. By default a temporary
            folder, which is removed with the result; `AgentTraining.save` keeps it.
        seed: the seed of the run.
        backend: physics engine; the task's own by default.
        start_from: an agent's name or file to begin from.
        until_return: stop when the mean of 100 episodes reaches this true return.
        evaluate_every: environment steps between evaluations.
        progress: told the environment steps done, all steps, and the last true return.
        **options: fields of `mirrorpo.training_settings.PPOSettings`.

    Raises:
        ValueError: an unknown name, a number out of range, an agent of another robot, or a folder
            of another run.
        Diverged: the policy is not finite any more; the curve says so. See `mirrorpo.divergence`.
    """
    asked = AgentTrainingSettings(
        seed, backend, given.text_of(start_from), until_return, evaluate_every
    )
    how = given.build(PPOSettings, settings, options, train_agent)
    start_jax()
    from mirrorpo.agents import agent_files, training_run
    from mirrorpo.simulation import tasks

    loaded = tasks.load(UserText(task), asked.backend)
    start, start_checksum, steps_before = None, None, 0
    if asked.start_from:
        start, before = agent_files.load(asked.start_from)
        start_checksum = agent_files.source_checksum(asked.start_from)
        steps_before = before.environment_steps
    folder = choose(out, "agents", f"{task}-seed{asked.seed}")
    with writing(folder) as path:
        last = training_run.train(
            loaded,
            how,
            asked.seed,
            path,
            evaluate_every=asked.evaluate_every,
            until_return=asked.until_return,
            start=start,
            start_checksum=start_checksum,
            steps_before=steps_before,
            progress=lambda point, total: progress(
                point.environment_steps, total, f"PPO on {task}: {point.return_mean:.0f}"
            ),
        )
    return AgentTraining(last, agent_files.load(last)[1], folder)


def pick_agent(
    run: PathLike | AgentTraining,
    *,
    near: float,
    name: str,
    candidates: int = PickSettings.candidates,
    episodes: int = PickSettings.episodes,
    task: str | None = PickSettings.task,
) -> PickedAgent:
    """Choose the checkpoint of a training run whose true return is nearest to a number.

    Args:
        run: folder of `mirrorpo agents train`, or what `train_agent` returned.
        near: the wanted true return.
        name: the name of the chosen agent; written to RUN/NAME.safetensors with its card.
        candidates: checkpoints that are scored again.
        episodes: the number of episodes of each of these scores, and of the one on the chosen
            agent's card.
        task: the run's, which must be named where it is a FILE.py:FUNCTION.

    Raises:
        ValueError: a folder without such a run, a number below 1, or a name that is no file's or
            that a file of the run has.
    """
    asked = PickSettings(candidates, episodes, task)
    folder = run.folder if isinstance(run, AgentTraining) else as_path(run, "run")
    start_jax()
    from mirrorpo.agents import training_run
    from mirrorpo.simulation import tasks

    of_run, backend = training_run.task_of(folder)
    chosen = UserText(asked.task) if asked.task else of_run
    loaded = tasks.load(chosen, backend if asked.task in (None, of_run) else None)
    card = training_run.pick(folder, loaded, near, name, asked.candidates, asked.episodes)
    return PickedAgent(folder / f"{name}.safetensors", card)


@dataclass(frozen=True, eq=False, repr=False)
class AgentTraining(ResultInFolder):
    """A run of PPO.

    Attributes:
        file: the last policy, which takes the place of an agent's name.
        card: of that policy: its true return and how it was trained.
    """

    file: Path
    card: AgentCard
    _folder: RunFolder

    @property
    def curve(self) -> pd.DataFrame:
        """One row per evaluation: environment steps, true return, its standard error, file."""
        import pandas as pd

        return pd.DataFrame(json_lines.read(self.folder / runs.METRICS))

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The policies of all evaluations, in their order."""
        from mirrorpo.agents import training_run

        return tuple(sorted((self.folder / training_run.CHECKPOINTS).glob("*.safetensors")))

    def plot(self) -> Figure:
        """The true return over the environment steps."""
        from mirrorpo.reporting import run_plots
        from mirrorpo.reporting.page import folders, trainings

        run = folders.read_one(self.folder, "agents train")
        return run_plots.charts(trainings.read(run).charts)

    def __str__(self) -> str:
        return (
            f"{self.file}: true return {_score(self.card)} after "
            f"{self.card.environment_steps:,} steps."
        )

    def __repr__(self) -> str:
        return f"AgentTraining({self})"


@dataclass(frozen=True)
class PickedAgent:
    """A checkpoint that was chosen, under a name of its own.

    Attributes:
        file: its file, which takes the place of an agent's name; the card lies beside it.
        card: its true return and how it was trained.
    """

    file: Path
    card: AgentCard

    def __fspath__(self) -> str:
        return os.fspath(self.file)

    def __str__(self) -> str:
        return (
            f"{self.file}: true return {_score(self.card)} over {self.card.episodes} episodes, "
            f"{self.card.environment_steps:,} training steps."
        )


def _score(card: AgentCard) -> str:
    return digits.with_error(card.return_mean, card.return_standard_error)
