"""``mirrorpo data``: preference data."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, new_table, progress
from mirrorpo.front.settings import GenerateSettings, LabelSettings
from mirrorpo.preferences.own.settings import ImportSettings


def generate(
    task: Annotated[str, tyro.conf.Positional],
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[GenerateSettings],
    cache: Path | None = None,
) -> None:
    """Simulate trajectories of two source agents and label pairs of them.

    All variants are views of one simulation, which is kept in the cache: another variant
    of the same task, rows, seed and agents simulates nothing again. The same command resumes
    an interrupted simulation.

    Args:
        task: name of a task: of MirrorPO's own, gym:ID, playground:NAME or FILE.py:FUNCTION.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        settings: what is simulated, and how it is labelled.
        cache: folder for simulated trajectories; the user's cache by default.
    """
    with progress("parts") as told:
        made = mpo.generate(task, out=out, cache=cache, progress=told, **vars(settings))
    console.print(str(made))


def import_(
    file: Annotated[Path, tyro.conf.Positional],
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[ImportSettings],
) -> None:
    """Import recorded trajectories: a pool for the bench, or, with --labels, a labelled dataset.

    Args:
        file: .npz, .hdf5 as D4RL's, .parquet with one row per step, or a Minari dataset's folder.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        settings: how the file is read.
    """
    console.print(str(mpo.import_data(file, settings, out=out)))


def export(pool: Annotated[Path, tyro.conf.Positional], out: Path) -> None:
    """Write a pool's trajectories as a NumPy archive laid out as D4RL's, for other tools.

    Args:
        pool: a pool's .safetensors file.
        out: file to write, ending in .npz; `mirrorpo data import` makes the same pool of it.
    """
    data = mpo.DataFile.load(pool)
    data.export(out)
    console.print(f"{out}: {data.trajectories} episodes.")


def label(
    pool: Annotated[Path, tyro.conf.Positional],
    out: Path,
    settings: tyro.conf.OmitArgPrefixes[LabelSettings],
) -> None:
    """Label the pairs of a pool: a dataset of one variant, to train on or to inspect.

    Args:
        pool: a pool's .safetensors file, as `mirrorpo data import` writes.
        out: file to write, ending in .safetensors; a JSON card goes beside it.
        settings: how pairs are labelled.
    """
    console.print(str(mpo.label(pool, out=out, **vars(settings))))


def inspect(path: Annotated[Path, tyro.conf.Positional]) -> None:
    """Print what is in a preference dataset: returns, flipped labels, agent pairings.

    Args:
        path: a dataset's .safetensors file.
    """
    described = mpo.DataFile.load(path).facts
    table = new_table(
        *("", "chosen", "rejected"),
        numbers=("chosen", "rejected"),
        title=f"{path.name}: {described.variant} on {described.task}",
    )
    for name, chosen, rejected in described.sides:
        table.add_row(name, chosen, rejected)
    console.print(table)
    for name, value in described.lines:
        console.print(f"{name}: {value}")
