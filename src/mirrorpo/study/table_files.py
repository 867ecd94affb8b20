"""The table of a bench as files: table.md to read, summary.csv to compute with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mirrorpo import files, plain_text
from mirrorpo.study import prompt_errors, table_notes, tables, tuning
from mirrorpo.study.prompt_errors import PromptErrors
from mirrorpo.study.tables import ResultTable
from mirrorpo.study.tuning import Tuning


def write(
    out: Path,
    table: ResultTable,
    others: Sequence[tuple[str, ResultTable]] = (),
    searches: Mapping[tuple[str, str], Tuning] | None = None,
    over_prompts: PromptErrors | None = None,
) -> None:
    """Write table.md and summary.csv.

    Args:
        out: folder of the run.
        table: the table of its scores.
        others: title and table of what else was measured.
        searches: how the hyper-parameters of each cell were tuned; None where nothing says.
        over_prompts: errors that hold for new prompts; None of a bench on robots.
    """
    decimals = table.decimals
    iqm = tables.to_markdown(table, measure="iqm", decimals=decimals)
    parts = [
        tables.to_markdown(table, decimals=decimals),
        table_notes.to_markdown(table),
        f"Interquartile mean [95 % interval]:\n\n{iqm}",
        *(f"{title}:\n\n{tables.to_markdown(one, decimals=decimals)}" for title, one in others),
    ]
    if over_prompts is not None and over_prompts.note:
        parts.append(f"{over_prompts.note}\n")
    if searches:
        parts.append(tuning.to_markdown(searches))
    files.write_text(out / "table.md", "\n".join(parts))
    summary = tables.to_frame(table)
    if searches is not None:
        summary = tuning.with_columns(summary, searches)
    if over_prompts is not None:
        summary = prompt_errors.with_columns(summary, over_prompts)
    plain_text.write_csv(out / "summary.csv", summary)
