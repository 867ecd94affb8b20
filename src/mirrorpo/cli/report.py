"""``mirrorpo report``: runs as one page to look at, their tables and their figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, progress
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import ReportSettings

if TYPE_CHECKING:
    from mirrorpo.reporting import comparison


def report(
    run: Annotated[tuple[Path, ...], tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[ReportSettings],
    out: Path | None = None,
) -> None:
    """Show runs, finished or not: benches beside the paper, and one HTML page of everything.

    The page, report.html, opens from disk and needs no network. Beside it: the tables as Markdown,
    CSV and LaTeX, and the figures as PNG and SVG. The run folders are only read.

    Args:
        run: folders of runs: of bench, discover, explain, train, agents train, align,
            judge; in a checkout of MirrorPO, results/NAME for a published run.
        settings: what to draw.
        out: folder to write; by default runs/report-RUN. Or one file: ending in .md for the tables
            of one bench alone, in .html for the page alone.
    """
    with progress("steps") as told:
        made = mpo.report(
            *run, out=out or BY_NAME, progress=told, say=console.print, **vars(settings)
        )
    for bench in made.benches:
        _print(bench)
    if made.file.suffix == ".md":
        console.print(f"{made.file} holds the tables.")
        return
    console.print(f"{made.file}: {made.shown} run{'s' if made.shown > 1 else ''} on one page.")


def _print(found: comparison.BenchRun) -> None:
    from mirrorpo.reporting import comparison
    from mirrorpo.study.terminal_table import TerminalTable

    console.print(TerminalTable(found.table, found.table.decimals))
    console.print(comparison.cost(found))
    for column in found.columns:
        if column.common:
            console.print(f"{column.variant}, beside the paper: {column.agreement}.", markup=False)
