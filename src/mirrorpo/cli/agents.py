"""``mirrorpo agents``: source agents."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import mirrorpo as mpo
from mirrorpo import files, places, runs, seeds
from mirrorpo.cli.console import console, new_table, progress
from mirrorpo.front.settings import EvaluateSettings
from mirrorpo.runtime.start import start_jax
from mirrorpo.training_settings import PPOSettings
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    from rich.table import Table

    from mirrorpo.agents.limb_use import Estimate, LimbUse

_SIDE_BY_SIDE = 3
"""Agents in one table of `limbs`: 80 columns have room for three."""

TaskName = Annotated[str, tyro.conf.Positional]


def list_agents() -> None:
    """List the agents that come with MirrorPO: task, true return, and how they act."""
    start_jax()
    from mirrorpo.agents import agent_files
    from mirrorpo.simulation.evaluation import SHORT_EPISODE

    numbers = ("return ± s.e.", "million steps", "noise", "short")
    table = new_table("agent", "task", *numbers, numbers=numbers)
    for card in agent_files.shipped():
        table.add_row(
            card.name,
            card.task,
            f"{card.return_mean:.0f} ± {card.return_standard_error:.0f}",
            f"{card.environment_steps / 1e6:.1f}",
            "?" if card.noise is None else f"{card.noise:.2f}",
            "?" if card.short_episodes is None else f"{100 * card.short_episodes:.1f} %",
        )
    console.print(table)
    console.print(
        "Noise: root mean square of what sampling adds to the motor commands.\n"
        f"Short: share of episodes of fewer than {SHORT_EPISODE} steps."
    )


def train(
    task: TaskName,
    settings: tyro.conf.OmitArgPrefixes[PPOSettings],
    out: Path | None = None,
    seed: int = 0,
    backend: str | None = None,
    start_from: str | None = None,
    until_return: float | None = None,
    evaluate_every: int = 500_000,
) -> None:
    """Train a source agent by PPO, keeping a checkpoint at each evaluation.

    The same command resumes an interrupted run.

    Args:
        task: ant, tla, hopper, walker2d or halfcheetah; gym:ID, an environment of Gymnasium;
            playground:NAME, one of MuJoCo Playground; or FILE.py:FUNCTION, which returns either.
        settings: PPO's settings.
        out: run folder; by default runs/agents-TASK-seedSEED.
        seed: the seed of the run.
        backend: physics engine; the task's own by default.
        start_from: an agent's name or file to begin from.
        until_return: stop when the mean of 100 episodes reaches this true return.
        evaluate_every: environment steps between evaluations.
    """
    seeds.check(seed)
    start_jax()
    from mirrorpo.agents import agent_files, training_run
    from mirrorpo.simulation import tasks

    loaded = tasks.load(UserText(task), backend)
    out = out or runs.default_out("agents", f"{task}-seed{seed}")
    start, steps_before = None, 0
    if start_from:
        start, start_card = agent_files.load(start_from)
        steps_before = start_card.environment_steps
    with progress("steps") as report:
        last = training_run.train(
            loaded,
            settings,
            seed,
            out,
            evaluate_every=evaluate_every,
            until_return=until_return,
            start=start,
            steps_before=steps_before,
            progress=lambda point, total: report(
                point.environment_steps, total, f"PPO on {task}: {point.return_mean:.0f}"
            ),
        )
    card = agent_files.load(last)[1]
    console.print(
        f"{last}: true return {card.return_mean:.0f} ± {card.return_standard_error:.0f} "
        f"after {card.environment_steps:,} steps."
    )
    if until_return is not None and card.return_mean < until_return:
        console.print(
            f"The run ended below {until_return:.0f}. `mirrorpo agents pick {out} --near "
            f"{until_return:.0f}` chooses its nearest checkpoint."
        )


def pick(
    run: Annotated[Path, tyro.conf.Positional],
    near: float,
    name: str,
    candidates: int = 5,
    episodes: int = 100,
    task: str | None = None,
) -> None:
    """Choose the checkpoint of a training run whose true return is nearest to a number.

    Args:
        run: folder of `mirrorpo agents train`.
        near: the wanted true return.
        name: the name of the chosen agent; written to RUN/NAME.safetensors with its card.
        candidates: checkpoints that are scored again.
        episodes: the number of episodes of each of these scores, and of the one on the chosen
            agent's card.
        task: the run's, which must be named where it is a FILE.py:FUNCTION.
    """
    start_jax()
    from mirrorpo.agents import training_run
    from mirrorpo.simulation import tasks

    of_run, backend = training_run.task_of(run)
    name_of_task = UserText(task) if task else of_run
    loaded = tasks.load(name_of_task, backend if task in (None, of_run) else None)
    card = training_run.pick(run, loaded, near, name, candidates, episodes)
    console.print(
        f"{run / name}.safetensors: true return {card.return_mean:.0f} ± "
        f"{card.return_standard_error:.0f} over {card.episodes} episodes, "
        f"{card.environment_steps:,} training steps."
    )


def evaluate(
    agent: Annotated[str, tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[EvaluateSettings],
) -> None:
    """Measure an agent's true return.

    Args:
        agent: name of a shipped agent, its file, or a policy of yours, FILE.py:FUNCTION, which
            takes observations and returns actions, one row each.
        settings: where it acts, and for how many episodes.
    """
    console.print(str(mpo.evaluate(agent, **vars(settings))))


def calibrate(
    agent: Annotated[str, tyro.conf.Positional],
    task: str,
    target: float,
    episodes: int = 100,
    seed: int = 0,
    backend: str | None = None,
    out: Path | None = None,
) -> None:
    """Find the penalty's coefficient at which an agent has a wanted true return.

    The return at every coefficient is computed from one set of episodes; the return at the found
    one, rounded to three digits, is then measured again on fresh episodes.

    Args:
        agent: name of a shipped agent, or its file.
        task: a task with a penalty, such as tla.
        target: the wanted mean true return, below the one without the penalty.
        episodes: number of episodes of each of the two measurements.
        seed: the seed of start states and action noise; the second measurement has the next one.
        backend: physics engine; the task's own by default.
        out: new folder for calibration.csv, calibration.json and calibration.png; nothing is
            written by default.
    """
    if out is not None:
        places.check_new_folder(out, f"--out {out}")
    seeds.check(seed)
    start_jax()
    from mirrorpo.reporting.robots import calibration_run

    if out is not None:
        runs.claim_folder(out)
    done = calibration_run.calibrate(agent, task, target, episodes, seed, backend)
    if out is not None:
        files.write_folder_atomically(out, done.write)
    heads = ("coefficient", "return", "s.e.")
    table = new_table(*heads, numbers=heads, title=f"{done.agent} on {task}")
    for row in done.curve.itertuples():
        table.add_row(
            f"{row.coefficient:.4g}",
            f"{row.return_mean:.1f}",
            f"{row.return_standard_error:.1f}",
        )
    console.print(table)
    found = done.found
    console.print(
        f"Coefficient {found.coefficient.value:.4g} ± {found.coefficient.standard_error:.2g} "
        f"(standard error, {episodes} episodes, {done.backend}) gives {done.agent} a true "
        f"return of {target:.6g} on {task}."
    )
    console.print(
        f"Without the penalty {_with_error(found.plain_return, 1)}; sum of squared actions of "
        f"{found.limb} over an episode {_with_error(found.limb_use, 1)}."
    )
    console.print(
        f"Measured at {done.rounded:g} on {episodes} fresh episodes: {_with_error(done.check, 1)}."
    )
    if out is not None:
        console.print(f"{out} holds calibration.csv, calibration.json and calibration.png.")


def limbs(
    agent: Annotated[tuple[str, ...], tyro.conf.Positional],
    task: str,
    out: Path,
    episodes: int = 20,
    seed: int = 0,
    backend: str | None = None,
) -> None:
    """Compare how much agents use each limb: mean of the absolute clipped actions.

    Args:
        agent: names of shipped agents, or their files.
        task: to act on, such as tla; its penalty does not matter.
        out: plot to write, ending in .png; a .csv of the same name goes beside it.
        episodes: number of episodes of each agent.
        seed: the seed of start states and action noise, the same for all agents.
        backend: physics engine; the task's own by default.
    """
    if not agent:
        raise ValueError("Name at least one agent.")
    beside = out.with_suffix(".csv")
    places.check_new(out, f"--out {out}", ".png")
    seeds.check(seed)
    start_jax()
    from mirrorpo.agents import agent_files, limb_use
    from mirrorpo.reporting.robots import limb_plot
    from mirrorpo.simulation import tasks

    # The plot is written last: a table without it is what a killed command left.
    places.check_replaceable(beside, f"--out {beside}", limb_plot.MARK)
    loaded = tasks.robot(UserText(task), "taken apart into limbs", backend)
    found = [agent_files.load(name) for name in agent]
    runs.claim_file(out)
    runs.claim_replaceable(beside, limb_plot.MARK)
    names = [card.name for _, card in found]
    # Checkpoints of different runs share their names; their files do not.
    labels = names if len(set(names)) == len(names) else agent
    uses: dict[str, limb_use.LimbUse] = {}
    with progress("agents") as report:
        for label, (policy, _) in zip(labels, found, strict=True):
            report(len(uses), len(found), f"{label} on {task}")
            uses[label] = limb_use.measure(policy, loaded, episodes, seed)
    penalised = loaded.penalty.limb if loaded.penalty else None

    title = f"mean |action| on {task} ({loaded.backend}), {episodes} episodes"
    files.write_atomically(beside, lambda part: limb_plot.to_frame(uses).to_csv(part, index=False))
    limb_plot.save(out, uses, penalised, title)
    for table in limb_tables(uses, penalised, f"{title}, ± standard error"):
        console.print(table)
    console.print(f"{out} holds the plot, {beside} its numbers.")


def limb_tables(
    uses: Mapping[str, "LimbUse"], penalised: str | None, title: str
) -> Iterator["Table"]:
    """One row per limb, one column per agent; a few agents side by side."""
    from mirrorpo.agents import limb_use

    for first in range(0, len(uses), _SIDE_BY_SIDE):
        side = dict(list(uses.items())[first : first + _SIDE_BY_SIDE])
        table = new_table("", *side, title=title)
        for limb in next(iter(side.values())).limbs:
            table.add_row(
                f"{limb} (penalised)" if limb == penalised else limb,
                *(_with_error(use.mean_use(limb), 3) for use in side.values()),
            )
        returns = (_with_error(limb_use.estimate(use.returns), 0) for use in side.values())
        table.add_row("return, no penalty", *returns)
        yield table


def render(
    agent: Annotated[str, tyro.conf.Positional],
    out: Path,
    task: str | None = None,
    seed: int = 0,
    steps: int = 300,
    frames: int | None = None,
    backend: str | None = None,
) -> None:
    """Draw one episode of an agent: a strip of frames, or an animation at the robot's own speed.

    The limb that the task penalises is red.

    Args:
        agent: name of a shipped agent, or its file.
        out: picture to write, ending in .png for a strip or in .gif for an animation.
        task: to act on; the agent's own by default.
        seed: the seed of the start state and the action noise.
        steps: the number of steps of the episode, which ends earlier if the robot falls.
        frames: pictures, evenly spread over the episode; by default 8 in a strip and about 12 a
            second in an animation.
        backend: physics engine; the agent's own by default on its own task.
    """
    places.check_new(out, f"--out {out}", ".png", ".gif")
    seeds.check(seed)
    for option, value in (("steps", steps), ("frames", frames)):
        if value is not None and value < 1:
            raise ValueError(f"--{option} must be at least 1, not {value}.")
    start_jax()
    from mirrorpo.agents import agent_files
    from mirrorpo.reporting.robots import poses, robot_drawing
    from mirrorpo.simulation import tasks

    policy, card = agent_files.load(agent)
    name = UserText(task) if task else card.task
    backend = backend or (card.backend if name == card.task else None)
    loaded = tasks.robot(name, "drawn", backend, episode_length=steps)
    runs.claim_file(out, ".png", ".gif")
    episode = poses.record(policy, loaded, seed)
    limb = loaded.penalty.limb if loaded.penalty else None
    done = f"{len(episode)} steps of {card.name} on {name}: true return {episode.total:.1f}"
    if out.suffix == ".gif":
        with progress("frames") as report:
            robot_drawing.save_animation(
                out,
                episode,
                frames,
                highlight=limb,
                progress=lambda drawn, of: report(drawn, of, "drawing"),
            )
    else:
        title = f"{done}; {limb}, in red, is penalised" if limb else done
        robot_drawing.save_strip(out, episode, frames or 8, title, highlight=limb)
    console.print(f"{out}: {done}.")


def _with_error(estimate: "Estimate", decimals: int) -> str:
    return f"{estimate.value:.{decimals}f} ± {estimate.standard_error:.{decimals}f}"
