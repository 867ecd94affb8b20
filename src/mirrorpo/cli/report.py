"""``mirrorpo report``: a bench's table, beside the paper's."""

from pathlib import Path
from typing import Annotated

import tyro

from mirrorpo.cli.console import console


def report(run: Annotated[Path, tyro.conf.Positional], out: Path | None = None) -> None:
    """Show a bench's results, finished or not, beside the paper's where it has them.

    Args:
        run: folder of `mirrorpo bench`.
        out: Markdown file for the tables; nothing is written by default.
    """
    from mirrorpo import files
    from mirrorpo.report import comparison
    from mirrorpo.report.paper import RESULTS
    from mirrorpo.study import tables

    found = comparison.read(run)
    console.print(tables.to_rich(found.table))
    console.print(comparison.cost(found))
    parts = [
        tables.to_markdown(found.table),
        f"Interquartile mean [95 % interval]:\n\n{tables.to_markdown(found.table, 'iqm')}",
        comparison.cost(found) + "\n",
    ]
    if found.settings["task"] in RESULTS:
        for column in comparison.columns(found):
            console.print(
                f"{column.variant}: rank correlation with the paper over {column.common} common "
                f"algorithms {column.rank_correlation:.2f}"
            )
        parts.append(comparison.to_markdown(found))
    if out is not None:
        files.write_text(out, "\n".join(parts))
        console.print(f"{out} holds the tables.")
