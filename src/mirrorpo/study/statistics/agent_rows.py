"""Agents as rows of a frame: what the statistics read of them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

CELL = ["data_draw", "seed"]
"""What two agents have in common that are compared as a pair: the data draw and the agent's seed,
and with it the minibatches and the start states of the evaluation."""


def agent_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Agents in the columns that the statistics use.

    Args:
        frame: one row per agent with columns `score` (or `return_mean`) and `seed`; `data_draw`
            where there are several data draws, else all agents share one; `diverged` where known.
            Other columns stay.

    Returns:
        A copy with float `score`, NaN where the agent diverged, and int `data_draw` and `seed`,
        in their order: results do not depend on the order of arrival.

    Raises:
        ValueError: a column is missing.
    """
    rows = frame.copy()
    if "score" not in rows:
        require(rows, ["return_mean"], "The agents")
        rows["score"] = rows["return_mean"]
    require(rows, ["seed"], "The agents")
    if "data_draw" not in rows:
        rows["data_draw"] = 0
    score = rows["score"].astype(float)
    if "diverged" in rows:
        score = score.mask(rows["diverged"].astype(bool))
    rows["score"] = score.where(np.isfinite(score))
    return rows.sort_values(CELL, kind="stable")


def require(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """See that a frame has columns.

    Raises:
        ValueError: `frame` lacks one of `columns`; the message begins with `what`.
    """
    missing = [name for name in columns if name not in frame]
    if missing:
        raise ValueError(f"{what} have no column {', '.join(missing)}.")


def one_per_cell(rows: pd.DataFrame, what: str) -> pd.Series:
    """Scores by (data_draw, seed).

    Raises:
        ValueError: two agents share a cell.
    """
    scores = rows.set_index(CELL)["score"]
    twice = scores.index[scores.index.duplicated()]
    if len(twice):
        draw, seed = twice[0]
        raise ValueError(f"{what} has more than one agent of seed {seed} on data draw {draw}.")
    return scores
