"""Mean and standard error of each row, from agents or from a printed table."""

import numpy as np
import pandas as pd

from mirrorpo.standard_error import mean_and_error
from mirrorpo.study.statistics.agent_rows import agent_rows, require

TABLE = ["algorithm", "mean", "standard_error"]


def is_table(frame: pd.DataFrame) -> bool:
    """Whether `frame` holds means of rows already, as a table printed in a paper does."""
    return "mean" in frame and "standard_error" in frame


def row_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error per algorithm.

    Args:
        frame: agents, one row each, with columns `algorithm`, `seed`, `score` (or `return_mean`)
            and, where there are several data draws, `data_draw`; or a table with columns
            `algorithm`, `mean` and `standard_error`, given back as it is.

    Returns:
        Columns `algorithm`, `mean`, `standard_error`, in order of first appearance. A row with a
        diverged agent has no number: NaN.

    Raises:
        ValueError: a column is missing, or a table has an algorithm twice.
    """
    require(frame, ["algorithm"], "The rows")
    if is_table(frame):
        twice = frame["algorithm"][frame["algorithm"].duplicated()]
        if len(twice):
            raise ValueError(f"The table has more than one row of {twice.iloc[0]}.")
        return frame[TABLE].reset_index(drop=True)
    agents = agent_rows(frame)
    groups = dict(list(agents.groupby("algorithm", sort=False)))
    found = []
    for name in dict.fromkeys(frame["algorithm"]):
        score = groups[name]["score"].to_numpy()
        lost = not np.isfinite(score).all()
        estimate = (np.nan, np.nan) if lost else mean_and_error(score, groups[name]["data_draw"])
        found.append((name, *estimate))
    return pd.DataFrame(found, columns=TABLE)
