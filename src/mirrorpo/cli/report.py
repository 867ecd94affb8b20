"""``mirrorpo report``: runs as one page to look at, their tables and their figures."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mirrorpo.cli.console import console, progress, start_jax

if TYPE_CHECKING:
    from mirrorpo.report import comparison
    from mirrorpo.report.page.reading import Parts

PAGE = "report.html"
_MOST_DRAWN = 12


def report(
    run: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Path | None = None,
    rollouts: int = 0,
    figures: bool = True,
    all_figures: bool = False,
) -> None:
    """Show runs, finished or not: benches beside the paper, and one HTML page of everything.

    The page, report.html, opens from disk and needs no network. Beside it: the tables as Markdown,
    CSV and LaTeX, and the figures as PNG and SVG. The run folders are only read.

    Args:
        run: folders of runs: of bench, discover, explain, train, agents train, sentiment,
            align, judge.
        out: folder to write; by default runs/report-RUN. Or one file: ending in .md for the tables
            of one bench alone, in .html for the page alone.
        rollouts: agents of each run folder that the page shows moving, a few seconds each.
        figures: write the figures as files too, of at most 12 runs.
        all_figures: write the figures of more runs, too: some seconds each.
    """
    if not run:
        raise ValueError("Name at least one run folder.")
    if rollouts < 0:
        raise ValueError(f"--rollouts must be at least 0, not {rollouts}.")
    if out is not None and out.suffix == ".md":
        if len(run) > 1:
            raise ValueError(f"--out {out}: Markdown is of one bench; name a folder for several.")
        _write_markdown(run[0], out)
        return
    from mirrorpo import files, places, runs

    alone = out is not None and out.suffix == ".html"
    folder = out or runs.default_out("report", _name(run))
    page = folder if alone else folder / PAGE
    places.check(page, f"--out {folder}")
    start_jax()
    from mirrorpo.report import export, export_figures
    from mirrorpo.report.page import render

    parts = _read(run)
    for damaged in parts.damaged:
        console.print(f"{damaged.path} is damaged, and left out: {damaged.damage}")
    if not alone:
        runs.claim(folder, {"command": "report", "runs": [str(path) for path in run]})
    with progress("steps") as told:
        command = shlex.join(["mirrorpo", "report", *map(str, run), "--out", str(folder)])
        files.write_text(page, render.render(parts, command, rollouts, told))
        if not alone:
            export.write_tables(parts, folder / "tables")
            for bench in parts.benches:
                name = files.file_name(bench.folder.name)
                files.write_text(folder / "tables" / f"{name}.md", _markdown(bench.run))
            if all_figures or (figures and len(run) <= _MOST_DRAWN):
                for name, failure in export_figures.write(parts, folder / "figures"):
                    told(3, 4, f"figures of {name}")
                    if failure is not None:
                        console.print(f"No figures of {name}: {failure}")
    for bench in parts.benches:
        _print(bench.run)
    shown = len(run) - len(parts.damaged)
    console.print(f"{page}: {shown} run{'s' if shown > 1 else ''} on one page.")


def _read(run: tuple[Path, ...]) -> Parts:
    """The sound parts of run folders."""
    from mirrorpo.report.page import reading

    with progress("runs") as told:
        told(0, len(run), "reading")
        done = itertools.count(1)

        def attempt(parts: Parts) -> None:
            told(next(done), len(run), f"reading {parts.folders[0].name}")
            _attempt(parts)

        return reading.sound(reading.read(run), attempt)


def _attempt(parts: Parts) -> None:
    """Make all that a report says of some parts, to see that it can be made."""
    from mirrorpo.report.page import render

    render.attempt(parts)
    for bench in parts.benches:
        _markdown(bench.run)


def _name(paths: tuple[Path, ...]) -> str:
    first = paths[0].resolve().name
    return first if len(paths) == 1 else f"{first}-and-{len(paths) - 1}-more"


def _write_markdown(run: Path, out: Path) -> None:
    from mirrorpo import files, places
    from mirrorpo.report import comparison
    from mirrorpo.report.page import reading

    places.check(out, f"--out {out}")
    try:
        found = comparison.read(run)
        tables = _markdown(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run} is damaged: {reading.told(error)}") from None
    files.write_text(out, tables)
    _print(found)
    console.print(f"{out} holds the tables.")


def _print(found: comparison.Run) -> None:
    from mirrorpo.report import comparison
    from mirrorpo.report.page import quantities
    from mirrorpo.study import tables

    decimals = quantities.of_task(found.table.task).decimals
    console.print(tables.to_rich(found.table, decimals=decimals))
    console.print(comparison.cost(found))
    for column in _columns(found):
        if column.common:
            console.print(f"{column.variant}, beside the paper: {column.agreement}.", markup=False)


def _markdown(found: comparison.Run) -> str:
    from mirrorpo.report import comparison
    from mirrorpo.report.page import quantities
    from mirrorpo.study import table_notes, tables

    decimals = quantities.of_task(found.table.task).decimals
    iqm = tables.to_markdown(found.table, "iqm", decimals)
    parts = [
        tables.to_markdown(found.table, decimals=decimals),
        table_notes.to_markdown(found.table),
        f"Interquartile mean [95 % interval]:\n\n{iqm}",
        comparison.cost(found) + "\n",
    ]
    if _columns(found):
        parts.append(comparison.to_markdown(found))
    return "\n".join(parts)


def _columns(found: comparison.Run) -> list[comparison.Column]:
    """Beside the paper; none where the paper has no such task or the run no source agents yet."""
    from mirrorpo.report import comparison
    from mirrorpo.report.paper import RESULTS

    if found.settings["task"] not in RESULTS or len(found.table.sources) != 2:
        return []
    return comparison.columns(found)
