"""A bench's tables in Markdown, and a trial run of everything that a report writes of a folder."""

from mirrorpo.reporting import comparison
from mirrorpo.reporting.page import render
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.study import table_notes, tables


def attempt(parts: Parts) -> None:
    """Make all that a report says of some parts, to see that it can be made."""
    render.attempt(parts)
    for bench in parts.benches:
        markdown(bench.run)


def markdown(found: comparison.BenchRun) -> str:
    """A bench's tables, what their numbers are, what it cost, and the paper's beside them."""
    decimals = found.table.decimals
    iqm = tables.to_markdown(found.table, "iqm", decimals)
    known = any(cell.best_iqm for cell in found.table.cells.values())
    bold = "" if known else "; nothing is bold, as so few agents cannot show one to be worse"
    parts = [
        tables.to_markdown(found.table, decimals=decimals),
        table_notes.to_markdown(found.table),
        f"Interquartile mean [95 % interval]{bold}:\n\n{iqm}",
        comparison.cost(found) + "\n",
    ]
    if found.columns:
        parts.append(comparison.to_markdown(found))
    return "\n".join(parts)
