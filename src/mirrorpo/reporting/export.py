"""A report's tables as CSV and LaTeX, for use elsewhere."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mirrorpo import files, plain_text
from mirrorpo.reporting import side_tables
from mirrorpo.reporting.page.benches import Standing
from mirrorpo.reporting.page.reading import Parts
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
    "±": r"$\pm$",
    tables.NOT_RUN: "--",
}


def results(places: list[Standing]) -> pd.DataFrame:
    """The leaderboard: one row for each algorithm, variant and run."""
    rows = [
        {
            "task": place.task,
            "variant": place.variant,
            "algorithm": place.algorithm,
            "hyperparameters": place.cell.hyperparameters,
            "agents": place.cell.summary.agents,
            "draws": place.cell.summary.draws,
            "diverged": place.cell.summary.diverged,
            "mean": place.cell.summary.mean,
            "standard_error": place.cell.summary.standard_error,
            "error_over": place.cell.summary.error_over,
            "iqm": place.cell.summary.iqm,
            "iqm_low": place.cell.summary.iqm_low,
            "iqm_high": place.cell.summary.iqm_high,
            "normalised": place.normalised,
            "normalised_error": place.normalised_error,
            "behind": place.cell.behind,
            "behind_error": place.cell.behind_error,
            "corrected_p": place.cell.corrected_p,
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
    r"""A table in the paper's layout: a row per algorithm, a column per variant, the best in bold.

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
    """Write each table as CSV and LaTeX to a folder.

    Of all benches together it writes `RESULTS` and agents.csv, CSV alone.
    """
    for side in side_tables.of(parts):
        name = files.file_name(side.name)
        frame = pd.DataFrame(side.rows, columns=list(side.header))
        plain_text.write_csv(folder / f"{name}.csv", frame)
        files.write_text(folder / f"{name}.tex", _rows_to_latex(side.header, side.rows))
    if not parts.benches:
        return
    plain_text.write_csv(folder / RESULTS, results(parts.places))
    agents = [bench.run.agents.assign(run=bench.folder.name) for bench in parts.benches]
    plain_text.write_csv(folder / "agents.csv", pd.concat(agents, ignore_index=True))
    for bench in parts.benches:
        name = files.file_name(bench.folder.name)
        plain_text.write_csv(folder / f"{name}.csv", _in_layout(bench.run.table))
        files.write_text(
            folder / f"{name}.tex", to_latex(bench.run.table, bench.quantities.decimals)
        )


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


def _rows_to_latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; it needs the package booktabs."""
    head, *body = (" & ".join(map(_escaped, row)) + r" \\" for row in (header, *rows))
    top = [rf"\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*top, *body, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    return "".join(_LATEX_SPECIAL.get(letter, letter) for letter in text)
