"""The further tables of a bench on texts."""

from pathlib import Path

import pandas as pd

from mirrorpo.study import prompt_errors, win_rates
from mirrorpo.study.prompt_errors import PromptErrors
from mirrorpo.study.tables import ResultTable


def of(
    out: Path, table: ResultTable, frame: pd.DataFrame, errors: PromptErrors
) -> list[tuple[str, ResultTable]]:
    """Title and table of win rates, and of errors that hold for new prompts.

    A table that is not known is left out; a bench on robots has none of them.

    Args:
        out: folder of the bench.
        table: the table of its scores.
        frame: one row per trained agent, of `BenchLog.frame`.
        errors: see `prompt_errors.of`.
    """
    found = {win_rates.TITLE: win_rates.table(out, table, frame), prompt_errors.TITLE: errors.table}
    return [(title, one) for title, one in found.items() if one is not None]
