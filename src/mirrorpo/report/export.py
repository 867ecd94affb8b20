"""A report's tables as CSV and LaTeX and its figures as PNG and SVG, for use elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.discovery.gradient_map import gradient_map
from mirrorpo.discovery.member_functions import member_functions
from mirrorpo.objectives import MirrorObjective
from mirrorpo.report import explain_plots, run_plots
from mirrorpo.report.page.benches import Place
from mirrorpo.report.page.reading import Parts
from mirrorpo.report.page.searches import SearchPart
from mirrorpo.study import tables

RESULTS = "results.csv"

_LATEX_SPECIAL = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def results(places: list[Place]) -> pd.DataFrame:
    """The leaderboard: one row for each algorithm, variant and run."""
    rows = [
        {
            "task": place.task,
            "variant": place.variant,
            "algorithm": place.algorithm,
            "hyperparameters": place.cell.hyperparameters,
            "agents": place.cell.summary.agents,
            "diverged": place.cell.summary.diverged,
            "mean": place.cell.summary.mean,
            "standard_error": place.cell.summary.standard_error,
            "iqm": place.cell.summary.iqm,
            "iqm_low": place.cell.summary.iqm_low,
            "iqm_high": place.cell.summary.iqm_high,
            "normalised": place.normalised,
            "normalised_error": place.normalised_error,
            "best": place.cell.best,
            "rank": place.rank,
            "paper_mean": place.paper[0] if place.paper else None,
            "paper_standard_error": place.paper[1] if place.paper else None,
            "run": place.run,
        }
        for place in places
    ]
    return pd.DataFrame(rows)


def to_latex(table: tables.ResultTable, decimals: int = 0) -> str:
    r"""A table in the paper's layout: a row an algorithm, a column a variant, bold the best.

    It needs the package booktabs.
    """
    columns = "l" + "c" * len(table.variants)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    head = ["", *(_escaped(variant) for variant in table.variants)]
    lines += [" & ".join(head) + r" \\", r"\midrule"]
    for source in table.sources:
        text = f"${source.mean:.{decimals}f} \\pm {source.standard_error:.{decimals}f}$"
        lines.append(" & ".join([_escaped(source.label), *[text] * len(table.variants)]) + r" \\")
    if table.sources:
        lines.append(r"\midrule")
    for algorithm in table.algorithms:
        cells = [
            _cell(table.cells.get((algorithm, variant)), decimals) for variant in table.variants
        ]
        lines.append(" & ".join([_escaped(algorithm), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def write_tables(parts: Parts, folder: Path) -> None:
    """Write `RESULTS`, agents.csv and, for each bench, a CSV and a LaTeX table to a folder."""
    if not parts.benches:
        return
    _csv(results(parts.places), folder / RESULTS)
    agents = [bench.run.agents.assign(run=bench.folder.name) for bench in parts.benches]
    _csv(pd.concat(agents, ignore_index=True), folder / "agents.csv")
    for bench in parts.benches:
        name = file_name(bench.folder.name)
        _csv(_in_layout(bench.run.table), folder / f"{name}.csv")
        files.write_text(
            folder / f"{name}.tex", to_latex(bench.run.table, bench.quantities.decimals)
        )


def write_figures(parts: Parts, folder: Path) -> Iterator[str]:
    """Write each figure of runs as PNG and SVG to a folder; yields the name of each run."""
    for bench in parts.benches:
        if bench.run.table.cells:
            name = file_name(bench.folder.name)
            _both(run_plots.every_agent(bench), folder / f"{name}-agents")
            if bench.curves:
                _both(run_plots.training_curves(bench), folder / f"{name}-curves")
        yield bench.folder.name
    for search in parts.searches:
        if search.generations:
            figure = run_plots.fitness(search.generations, search.validations)
            _both(figure, folder / f"{file_name(search.folder.name)}-fitness")
        _write_found(search, folder)
        yield search.folder.name


def file_name(run: str) -> str:
    """A run's name as the beginning of a file's name."""
    return re.sub(r"[^\w.-]+", "-", run).strip("-.") or "run"


def _write_found(search: SearchPart, folder: Path) -> None:
    if search.found is None:
        return
    objective, visited = search.found.objective, search.found.visited
    name = file_name(search.folder.name)
    maps = [gradient_map(objective, visited)]
    for ending in (".png", ".svg"):
        explain_plots.save_gradient_maps(
            folder / f"{name}-gradient-map{ending}", maps, visited, search.folder.name
        )
        if isinstance(objective, MirrorObjective):
            curves = member_functions(objective, visited)
            explain_plots.save_functions(
                folder / f"{name}-functions{ending}", curves, visited, search.folder.name
            )


def _both(figure: Figure, path: Path) -> None:
    for ending in (".png", ".svg"):
        run_plots.save(figure, path.with_name(path.name + ending))


def _csv(frame: pd.DataFrame, path: Path) -> None:
    files.write_atomically(path, lambda part: frame.to_csv(part, index=False))


def _in_layout(table: tables.ResultTable) -> pd.DataFrame:
    """Rows and columns as in the paper; each variant has a mean and a standard error."""
    rows = []
    for source in table.sources:
        row: dict[str, object] = {"algorithm": source.label}
        for variant in table.variants:
            row[variant], row[f"{variant} s.e."] = source.mean, source.standard_error
        rows.append(row)
    for algorithm in table.algorithms:
        row = {"algorithm": algorithm}
        for variant in table.variants:
            cell = table.cells.get((algorithm, variant))
            row[variant] = cell.summary.mean if cell else None
            row[f"{variant} s.e."] = cell.summary.standard_error if cell else None
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(cell: tables.Cell | None, decimals: int) -> str:
    if cell is None:
        return "--"
    found = cell.summary
    if found.diverged:
        return f"diverged {found.diverged}/{found.agents}"
    error = "" if found.agents == 1 else rf" \pm {found.standard_error:.{decimals}f}"
    number = f"{found.mean:.{decimals}f}{error}"
    return rf"$\mathbf{{{number}}}$" if cell.best else f"${number}$"


def _escaped(text: str) -> str:
    return "".join(_LATEX_SPECIAL.get(letter, letter) for letter in text)
