"""``mirrorpo agents``: source agents."""

from pathlib import Path
from typing import Annotated

import tyro

from mirrorpo.cli.console import console, progress, start_jax
from mirrorpo.control.settings import PPOSettings

TaskName = Annotated[str, tyro.conf.Positional]


def list_agents() -> None:
    """List the agents that come with MirrorPO: task, true return, standard error."""
    start_jax()
    from rich.table import Table

    from mirrorpo.control import agents

    table = Table()
    for name in ("agent", "task", "backend", "return", "s.e.", "episodes", "training steps"):
        table.add_column(name, no_wrap=name == "agent")
    for card in agents.shipped():
        table.add_row(
            card.name,
            card.task,
            card.backend,
            f"{card.return_mean:.0f}",
            f"{card.return_standard_error:.0f}",
            str(card.episodes),
            f"{card.environment_steps:,}",
        )
    console.print(table)


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

    An interrupted run continues with the same command.

    Args:
        task: name of a task: ant, tla, hopper, walker2d, halfcheetah.
        settings: of PPO.
        out: run folder; by default runs/agents-TASK-seedSEED.
        seed: of the run.
        backend: physics engine; the task's own by default.
        start_from: an agent's name or file to begin from.
        until_return: stop when the mean of 100 episodes reaches this true return.
        evaluate_every: environment steps between evaluations.
    """
    start_jax()
    from mirrorpo import runs
    from mirrorpo.control import agents, tasks, training_run

    loaded = tasks.load(task, backend)
    out = out or runs.default_out("agents", f"{task}-seed{seed}")
    start = agents.load(start_from)[0] if start_from else None
    with progress("steps") as report:
        last = training_run.train(
            loaded,
            settings,
            seed,
            out,
            evaluate_every=evaluate_every,
            until_return=until_return,
            start=start,
            progress=lambda point, total: report(
                point.environment_steps, total, f"PPO on {task}: {point.return_mean:.0f}"
            ),
        )
    card = agents.load(last)[1]
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
) -> None:
    """Choose the checkpoint of a training run whose true return is nearest to a number.

    Args:
        run: folder of `mirrorpo agents train`.
        near: the wanted true return.
        name: of the chosen agent; written to RUN/NAME.safetensors with its card.
        candidates: checkpoints that are scored again over 100 episodes.
    """
    start_jax()
    from mirrorpo import files, runs
    from mirrorpo.control import tasks, training_run

    config = files.read_json(run / runs.CONFIG, "a run's configuration")["settings"]
    task = tasks.load(config["task"], config["backend"])
    card = training_run.pick(run, task, near, name, candidates)
    console.print(
        f"{run / name}.safetensors: true return {card.return_mean:.0f} ± "
        f"{card.return_standard_error:.0f} over {card.episodes} episodes, "
        f"{card.environment_steps:,} training steps."
    )


def evaluate(
    agent: Annotated[str, tyro.conf.Positional],
    task: str | None = None,
    backend: str | None = None,
    episodes: int = 100,
    seed: int = 0,
    deterministic: bool = False,
) -> None:
    """Measure an agent's true return.

    Args:
        agent: name of a shipped agent, or its file.
        task: to act on; the agent's own by default.
        backend: physics engine; the agent's own by default on its own task.
        episodes: number of episodes.
        seed: of start states and action noise.
        deterministic: take mean actions in place of sampled ones.
    """
    start_jax()
    from mirrorpo.control import agents, tasks

    policy, card = agents.load(agent)
    name = task or card.task
    backend = backend or (card.backend if name == card.task else None)
    loaded = tasks.load(name, backend)
    mean, error = agents.evaluate(policy, loaded, episodes, seed, deterministic)
    console.print(
        f"{card.name} on {name} ({loaded.backend}): true return {mean:.1f} ± {error:.1f} "
        f"(standard error, {episodes} episodes, "
        f"{'mean' if deterministic else 'sampled'} actions)"
    )
