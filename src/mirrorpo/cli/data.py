"""``mirrorpo data``: preference data."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from mirrorpo import places
from mirrorpo.cli.console import console, progress
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.runtime import cache
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText


def generate(
    task: Annotated[str, tyro.conf.Positional],
    out: Path,
    variant: str = "base",
    rows: int | None = None,
    seed: int = 0,
    episode_length: int | None = None,
    backend: str | None = None,
    better: str | None = None,
    worse: str | None = None,
) -> None:
    """Simulate trajectories of two source agents and label pairs of them.

    All variants are views of one simulation, which is kept in the user's cache: another variant
    of the same task, rows, seed and agents simulates nothing anew. An interrupted simulation
    continues with the same command.

    Args:
        task: name of a task: of MirrorPO's own, gym:ID, playground:NAME or FILE.py:FUNCTION.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        rows: number of pairs; the paper's number for the task by default.
        seed: the seed of start states, action noise and labels.
        episode_length: steps of a trajectory; the task's own by default, 1000 of MirrorPO's.
        backend: physics engine; the task's own by default.
        better: the better agent's name or file; the task's own by default.
        worse: the worse agent's name or file; the task's own by default.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"--out {out}: data are written as safetensors; end the name so.")
    if out.exists():
        raise ValueError(f"--out {out} exists already: nothing is overwritten.")
    places.check(out, f"--out {out}")
    cache.check()
    start_jax()
    from mirrorpo import files, variants
    from mirrorpo.agents import sources
    from mirrorpo.preferences import data, pools
    from mirrorpo.simulation import tasks

    parsed = variants.parse(variant)
    loaded = tasks.load(UserText(task), backend, episode_length)
    own = sources.choose(
        task,
        None if better is None else UserText(better),
        None if worse is None else UserText(worse),
        rows,
    )
    with progress("parts") as report:
        pool = pools.cached(
            loaded,
            own.rows,
            seed,
            own.better,
            own.worse,
            progress=lambda done, of: report(done, of, f"trajectories on {task}"),
            waiting=pools.in_line(lambda doing: report(0, 1, doing)),
        )
    dataset = data.label(pool, parsed, seed)
    for name in (out.name, out.with_suffix(".json").name):
        files.remove_leftovers(out.parent, f"{name}.")
    dataset.save(out)
    console.print(f"{out}: {dataset.rows} pairs, variant {parsed}.")


def import_(
    file: Annotated[Path, tyro.conf.Positional],
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[ImportSettings],
) -> None:
    """Read trajectories of others: a pool for the bench, or, with --labels, a labelled dataset.

    Args:
        file: .npz, .hdf5 as D4RL's, .parquet with one row per step, or a Minari dataset's folder.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        settings: how the file is read.
    """
    start_jax()
    from mirrorpo.preferences.own import importing

    if settings.task is not None:
        settings = replace(settings, task=UserText(settings.task))
    for line in importing.run(file, out, settings):
        console.print(line)


def export(pool: Annotated[Path, tyro.conf.Positional], out: Path) -> None:
    """Write a pool's trajectories as a NumPy archive laid out as D4RL's, for other tools.

    Args:
        pool: a pool's .safetensors file.
        out: file to write, ending in .npz; `mirrorpo data import` makes the same pool of it.
    """
    if out.exists():
        raise ValueError(f"--out {out} exists already: nothing is overwritten.")
    places.check(out, f"--out {out}")
    start_jax()
    from mirrorpo.preferences import data
    from mirrorpo.preferences.own import exchange

    read = data.Pool.load(pool)
    exchange.write(read, out)
    console.print(f"{out}: {len(read.trajectories)} episodes.")


def label(
    pool: Annotated[Path, tyro.conf.Positional], out: Path, variant: str = "base", seed: int = 0
) -> None:
    """Label the pairs of a pool: a dataset of one variant, to train on or to inspect.

    Args:
        pool: a pool's .safetensors file, as `mirrorpo data import` writes.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        seed: the seed of the labels.
    """
    if out.exists():
        raise ValueError(f"--out {out} exists already: nothing is overwritten.")
    places.check(out, f"--out {out}")
    start_jax()
    from mirrorpo.preferences import data

    dataset = data.label(data.Pool.load(pool), variant, seed)
    dataset.save(out)
    console.print(f"{out}: {dataset.rows} pairs, variant {dataset.card['variant']}.")


def inspect(path: Annotated[Path, tyro.conf.Positional]) -> None:
    """Print what is in a preference dataset: returns, flipped labels, agent pairings.

    Args:
        path: a dataset's .safetensors file.
    """
    start_jax()
    from rich.table import Table

    from mirrorpo.preferences import data, facts

    dataset = data.PreferenceDataset.load(path)
    described = facts.describe(dataset)
    table = Table(
        "", "chosen", "rejected", title=f"{path.name}: {described.variant} on {described.task}"
    )
    for name, chosen, rejected in described.sides:
        table.add_row(name, chosen, rejected)
    console.print(table)
    for name, value in described.lines:
        console.print(f"{name}: {value}")
