"""``mirrorpo agents``: source agents."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, new_table, progress
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import (
    AgentTrainingSettings,
    CalibrateSettings,
    EvaluateSettings,
    LimbSettings,
    PickSettings,
    RenderSettings,
)
from mirrorpo.training_settings import PPOSettings

if TYPE_CHECKING:
    from rich.table import Table

_SIDE_BY_SIDE = 3
"""Agents in one table of `limbs`: 80 columns have room for three."""

TaskName = Annotated[str, tyro.conf.Positional]


def list_agents() -> None:
    """List the agents that come with MirrorPO: task, true return, and how they act."""
    cards = mpo.list_agents()
    from mirrorpo.simulation.evaluation import SHORT_EPISODE

    numbers = ("return ± s.e.", "million steps", "noise", "short")
    table = new_table("agent", "task", *numbers, numbers=numbers)
    for card in cards:
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
    agents: tyro.conf.OmitArgPrefixes[AgentTrainingSettings],
    out: Path | None = None,
) -> None:
    """Train a source agent by PPO, keeping a checkpoint at each evaluation.

    The same command resumes an interrupted run.

    Args:
        task: ant, tla, hopper, walker2d or halfcheetah; gym:ID, an environment of Gymnasium;
            playground:NAME, one of MuJoCo Playground; or FILE.py:FUNCTION, which returns either.
        settings: PPO's settings.
        agents: where the run begins and ends.
        out: run folder; by default runs/agents-TASK-seedSEED.
    """
    with progress("steps") as told:
        done = mpo.train_agent(task, settings, out=out or BY_NAME, progress=told, **vars(agents))
    console.print(str(done))
    wanted = agents.until_return
    if wanted is not None and done.card.return_mean < wanted:
        console.print(
            f"The run ended below {wanted:.0f}. `mirrorpo agents pick {done.folder} --near "
            f"{wanted:.0f}` chooses its nearest checkpoint."
        )


def pick(
    run: Annotated[Path, tyro.conf.Positional],
    near: float,
    name: str,
    settings: tyro.conf.OmitArgPrefixes[PickSettings],
) -> None:
    """Choose the checkpoint of a training run whose true return is nearest to a number.

    Args:
        run: folder of `mirrorpo agents train`.
        near: the wanted true return.
        name: the name of the chosen agent; written to RUN/NAME.safetensors with its card.
        settings: how checkpoints are compared.
    """
    console.print(str(mpo.pick_agent(run, near=near, name=name, **vars(settings))))


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
    settings: tyro.conf.OmitArgPrefixes[CalibrateSettings],
    out: Path | None = None,
) -> None:
    """Find the penalty's coefficient at which an agent has a wanted true return.

    The return at every coefficient is computed from one set of episodes; the return at the found
    one, rounded to three digits, is then measured again on fresh episodes.

    Args:
        agent: name of a shipped agent, or its file.
        task: a task with a penalty, such as tla.
        target: the wanted mean true return, below the one without the penalty.
        settings: how it is measured.
        out: new folder for calibration.csv, calibration.json and calibration.png; nothing is
            written by default.
    """
    done = mpo.calibrate(agent, task=task, target=target, out=out, **vars(settings))
    heads = ("coefficient", "return", "s.e.")
    table = new_table(*heads, numbers=heads, title=f"{done.agent} on {task}")
    for row in done.curve.itertuples():
        table.add_row(
            f"{row.coefficient:.4g}",
            f"{row.return_mean:.1f}",
            f"{row.return_standard_error:.1f}",
        )
    console.print(table)
    console.print(str(done))
    if out is not None:
        console.print(f"{out} holds calibration.csv, calibration.json and calibration.png.")


def limbs(
    agent: Annotated[tuple[str, ...], tyro.conf.Positional],
    task: str,
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[LimbSettings],
) -> None:
    """Compare how much agents use each limb: mean of the absolute clipped actions.

    Args:
        agent: names of shipped agents, or their files.
        task: to act on, such as tla; its penalty does not matter.
        out: plot to write, ending in .png; a .csv of the same name goes beside it.
        settings: how it is measured.
    """
    with progress("agents") as told:
        done = mpo.limbs(*agent, task=task, out=out, progress=told, **vars(settings))
    for table in limb_tables(done):
        console.print(table)
    console.print(f"{out} holds the plot, {out.with_suffix('.csv')} its numbers.")


def limb_tables(done: "mpo.LimbComparison") -> Iterator["Table"]:
    """One row per limb, one column per agent; a few agents side by side."""
    from mirrorpo.agents import limb_use

    for first in range(0, len(done.uses), _SIDE_BY_SIDE):
        side = dict(list(done.uses.items())[first : first + _SIDE_BY_SIDE])
        table = new_table("", *side, title=f"{done.title}, ± standard error")
        for limb in next(iter(side.values())).limbs:
            table.add_row(
                f"{limb} (penalised)" if limb == done.penalised else limb,
                *(f"{use.mean_use(limb):.3f}" for use in side.values()),
            )
        returns = (f"{limb_use.estimate(use.returns):.0f}" for use in side.values())
        table.add_row("return, no penalty", *returns)
        yield table


def render(
    agent: Annotated[str, tyro.conf.Positional],
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[RenderSettings],
) -> None:
    """Draw one episode of an agent: a strip of frames, or an animation at the robot's own speed.

    The limb that the task penalises is red.

    Args:
        agent: name of a shipped agent, or its file.
        out: picture to write, ending in .png for a strip or in .gif for an animation.
        settings: the episode, and how much of it is drawn.
    """
    with progress("frames") as told:
        done = mpo.render(agent, out=out, progress=told, **vars(settings))
    console.print(str(done))
