"""Differences of two rows of a table over the cells that they share, and whether they are chance.

Rows of a bench share their data draws, the seeds of their agents and the start states of the
evaluation. What these have in common cancels in the difference of two agents of one cell.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from mirrorpo.standard_error import mean_and_error
from mirrorpo.study.statistics.agent_rows import CELL, agent_rows, one_per_cell
from mirrorpo.study.statistics.summary import interquartile_mean

Method = Literal["t", "sign-flip", "iqm"]
FLIPS = 4999


@dataclass(frozen=True)
class PairedDifference:
    """First row minus second over their common cells.

    Attributes:
        cells: pairs of agents of the same data draw and seed.
        draws: data draws among these cells.
        mean: mean difference (of method "iqm": difference of the interquartile means).
        standard_error: the standard error of the mean difference; over agents with one draw, over
            agents and draws with several. NaN for one cell.
        degrees_of_freedom: the degrees of freedom of that error: cells - 1 with one draw, draws - 1
            with several.
        p_value: two-sided, of no difference; NaN where it cannot be tested.
    """

    cells: int
    draws: int
    mean: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float


def paired_difference(
    first: pd.DataFrame, second: pd.DataFrame, method: Method = "t"
) -> PairedDifference:
    """Compare two rows on their common (data_draw, seed) cells.

    Args:
        first: agents of one row, with columns `seed`, `score` (or `return_mean`) and, where there
            are several data draws, `data_draw`.
        second: agents of the other.
        method: "t": t-test of the mean difference, whose error contains the data draws, so that
            it speaks of draws to come. "sign-flip": permutation test of the mean difference that
            swaps the two agents of a cell, exact up to 13 cells; it assumes no distribution and
            speaks of the draws at hand. "iqm": the same of the interquartile means.

    Raises:
        ValueError: a column is missing, two agents of a row share a cell, or an unknown method.
    """
    pair = common_cells(first, second)
    draws = pair.index.get_level_values(CELL[0]).to_numpy()
    return of_arrays(pair["first"].to_numpy(), pair["second"].to_numpy(), draws, method)


def of_arrays(
    first: np.ndarray, second: np.ndarray, draws: np.ndarray, method: Method = "t"
) -> PairedDifference:
    """`paired_difference` of scores in the order of their cells.

    Args:
        first: shape (cells,).
        second: shape (cells,).
        draws: the data draw of each cell, shape (cells,).
        method: see `paired_difference`.
    """
    if method not in ("t", "sign-flip", "iqm"):
        raise ValueError(f"Unknown method {method!r}: t, sign-flip or iqm.")
    if len(first) == 0:
        return PairedDifference(0, 0, *[math.nan] * 4)
    count = len(np.unique(draws))
    mean, error = mean_and_error(first - second, draws)
    freedom = count - 1 if count > 1 else len(first) - 1
    p_value = t_test(mean, error, freedom) if method == "t" else _sign_flip(first, second, method)
    if method == "iqm":
        mean = interquartile_mean(first) - interquartile_mean(second)
    return PairedDifference(len(first), count, mean, error, freedom, p_value)


def common_cells(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Scores of both rows, columns `first` and `second`.

    There is one for each (data_draw, seed) that both have and where neither diverged.
    """
    sides = [
        one_per_cell(agent_rows(rows), name)
        for rows, name in ((first, "the first row"), (second, "the second row"))
    ]
    joined: pd.DataFrame = pd.concat(sides, axis=1, join="inner", keys=["first", "second"])
    return joined.dropna().sort_index()


def t_test(mean: float, error: float, freedom: float) -> float:
    """Two-sided p-value of a zero mean; NaN where the error is unknown.

    Without any spread it is 0, or 1 where the mean is 0 as well.
    """
    if math.isnan(error) or freedom < 1:
        return math.nan
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2.0 * stats.t.sf(abs(mean / error), freedom))


def _sign_flip(one: np.ndarray, two: np.ndarray, method: Method) -> float:
    if len(one) < 2:
        return math.nan

    def mean(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.mean(a, axis=axis) - np.mean(b, axis=axis))

    def interquartile(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(stats.trim_mean(a, 0.25, axis=axis) - stats.trim_mean(b, 0.25, axis=axis))

    result = stats.permutation_test(
        (one, two),
        interquartile if method == "iqm" else mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)
