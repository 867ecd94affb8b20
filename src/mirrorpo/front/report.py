"""``mirrorpo.report``: runs as one page to look at, their tables and their figures."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorpo import files, places, runs
from mirrorpo.front.agents import AgentTraining
from mirrorpo.front.bench import BenchResult
from mirrorpo.front.discover import DiscoveryResult
from mirrorpo.front.run_folder import (
    ByName,
    Out,
    PathLike,
    Progress,
    RunFolder,
    choose,
    silent,
    writing,
)
from mirrorpo.front.settings import ReportSettings
from mirrorpo.front.train import TrainResult
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    from mirrorpo.reporting import comparison
    from mirrorpo.reporting.page.reading import Parts

PAGE = "report.html"
_MARK = "<title>MirrorPO: "
_MOST_DRAWN = 12

Run = PathLike | BenchResult | DiscoveryResult | TrainResult | AgentTraining
"""What a report shows: a run's folder, or what a function returned."""


def report(
    *run: Run,
    out: Out = None,
    rollouts: int = ReportSettings.rollouts,
    figures: bool = ReportSettings.figures,
    all_figures: bool = ReportSettings.all_figures,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Show runs, finished or not: benches beside the paper, and one HTML page of everything.

    The page, report.html, opens from disk and needs no network. Beside it: the tables as Markdown,
    CSV and LaTeX, and the figures as PNG and SVG. The run folders are only read.

    Args:
        run: folders of runs: of bench, discover, explain, train, agents train, align,
            judge; in a checkout of MirrorPO, results/NAME for a published run; or what `bench`,
            `discover`, `train` and `train_agent` returned.
        out: folder to write. Or one file: ending in .md for the tables of one bench alone, in
            .html for the page alone. By default a temporary folder, which is removed with the
            result; `Report.save` keeps it.
        rollouts: agents of each run folder that the page shows moving, the best first.
        figures: write the figures as files too, of at most 12 runs.
        all_figures: write the figures of more runs, too: some seconds each.
        progress: told what is done, of how much, and what is being done.
        say: told of each damaged folder that is left out, and of figures that cannot be drawn.

    Raises:
        ValueError: no run folder, all of them damaged, a folder that holds something else, or no
            published run of that name.
    """
    settings = ReportSettings(rollouts, figures, all_figures)
    shown = tuple(_folder(one) for one in run)
    if not shown:
        raise ValueError("Name at least one run folder.")
    file = None if out is None or isinstance(out, ByName) else Path(out)
    if file is not None and file.suffix == ".md":
        if len(shown) > 1:
            raise ValueError(f"--out {file}: Markdown is of one bench; name a folder for several.")
        with _opened(shown) as opened:
            return _write_markdown(opened[0], file)

    alone = file is not None and file.suffix == ".html"
    folder = choose(out, "report", _name(shown))
    page = folder.path if alone else folder.path / PAGE
    if alone:
        places.check_replaceable(page, f"--out {page}", _MARK)
    else:
        places.check(page, f"--out {folder.path}")
    start_jax()
    from mirrorpo.reporting.page import render

    with _opened(shown) as opened:
        parts = _read(opened, progress)
        for damaged in parts.damaged:
            say(f"{damaged.path} is damaged, and left out: {damaged.damage}")
        command = shlex.join(["mirrorpo", "report", *map(str, shown), "--out", str(folder.path)])
        with writing(folder):
            if alone:
                runs.claim_replaceable(page, _MARK)
            else:
                claimed = {"command": "report", "runs": [str(path) for path in shown]}
                runs.claim(folder.path, claimed, kind="report")
            files.write_text(page, render.render(parts, command, settings.rollouts, progress))
            if not alone:
                _write_beside(parts, folder.path, settings, progress, say)
    sound = len(shown) - len(parts.damaged)
    return Report(page, [bench.run for bench in parts.benches], sound, folder)


def _opened(shown: Sequence[Path]) -> contextlib.AbstractContextManager[list[Path]]:
    """The runs' folders; published runs are unpacked for as long as this is open."""
    from mirrorpo.reporting.published import unpacking

    return unpacking.folders(shown)


def _write_beside(
    parts: Parts,
    folder: Path,
    settings: ReportSettings,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """Write what stands beside the page: the tables and, of few runs, the figures."""
    from mirrorpo.reporting import export, export_figures, written

    export.write_tables(parts, folder / "tables")
    for bench in parts.benches:
        name = files.file_name(bench.folder.name)
        files.write_text(folder / "tables" / f"{name}.md", written.markdown(bench.run))
    if settings.all_figures or (settings.figures and len(parts.folders) <= _MOST_DRAWN):
        for name, failure in export_figures.write(parts, folder / "figures"):
            progress(3, 4, f"figures of {name}")
            if failure is not None:
                say(f"No figures of {name}: {failure}")


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """A written report.

    Attributes:
        file: the page, or the Markdown file.
        benches: the table and the agents of each bench.
        shown: number of runs that it shows.
    """

    file: Path
    benches: Sequence[comparison.BenchRun]
    shown: int
    _folder: RunFolder

    @property
    def folder(self) -> Path:
        """The folder of page, tables and figures.

        It is there for as long as this result is, if none was named.
        """
        return self.file.parent

    def save(self, folder: PathLike) -> Path:
        """Copy page, tables and figures to a new folder.

        Raises:
            ValueError: something is there already, or the place cannot be written; or the report
                is one file that was named by its user, who can copy it.
        """
        if self._folder.path != self.file.parent:
            raise ValueError(f"{self.file} is one file, and kept where it is.")
        return self._folder.copy_to(folder)

    def __repr__(self) -> str:
        return f"Report({str(self.file)!r}: {self.shown} runs)"

    def _repr_html_(self) -> str:
        import html

        page = html.escape(self.file.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" width="100%" height="600"></iframe>'


def _folder(run: Run) -> Path:
    if isinstance(run, (str, os.PathLike)):
        return Path(run)
    folder = getattr(run, "folder", None)
    if not isinstance(folder, Path):
        raise ValueError(
            f"{run!r:.60} is not a run: name its folder, or pass what a command returned."
        )
    return folder


def _read(shown: Sequence[Path], progress: Progress) -> Parts:
    """The sound parts of run folders."""
    from mirrorpo.reporting import written
    from mirrorpo.reporting.page import reading

    progress(0, len(shown), "reading")
    done = itertools.count(1)

    def attempt(parts: Parts) -> None:
        progress(next(done), len(shown), f"reading {parts.folders[0].name}")
        written.attempt(parts)

    return reading.sound(reading.read(shown), attempt)


def _name(paths: Sequence[Path]) -> str:
    first = paths[0].resolve().name
    return first if len(paths) == 1 else f"{first}-and-{len(paths) - 1}-more"


@runs.holding()
def _write_markdown(run: Path, out: Path) -> Report:
    from mirrorpo.reporting import comparison, written
    from mirrorpo.reporting.page import reading

    runs.claim_replaceable(out, "Interquartile mean [95 % interval]")
    try:
        found = comparison.read(run)
        tables = written.markdown(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run} is damaged: {reading.told(error)}") from None
    files.write_text(out, tables)
    return Report(out, [found], 1, RunFolder(out))
