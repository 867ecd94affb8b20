"""Which rows of a table are not worse than the best, and whether the best is really the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mirrorpo import digits
from mirrorpo.standard_error import mean_and_error, variances_of_mean
from mirrorpo.study.statistics.agent_rows import CELL, agent_rows, require
from mirrorpo.study.statistics.paired import Method, of_arrays, t_test
from mirrorpo.study.statistics.row_means import row_means
from mirrorpo.study.statistics.summary import interquartile_mean

LEVEL = 0.05
ENOUGH_DRAWS = 5
"""From so many data draws on, each difference's own draws tell its error."""


def holm(p_values: pd.Series) -> pd.Series:
    """P-values corrected for their number by Holm's step-down method. NaN stays and is not counted.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    known = p_values.dropna().sort_values(kind="stable")
    factors = np.arange(len(known), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(known.to_numpy() * factors), 1.0)
    return pd.Series(corrected, index=known.index, dtype=float).reindex(p_values.index)


def differences_to_best(
    frame: pd.DataFrame, method: Method = "t", level: float = LEVEL
) -> pd.DataFrame:
    """How far each row of a column lies behind the best, tested in pairs.

    With one data draw, the error of a difference is over agents. With five or more, it contains
    the draws, by each difference's own. With two to four, a row's own draws say next to nothing
    (one to three degrees of freedom): there, one factor for all rows tells by how much draws
    inflate the variance that agents leave, see `_inflation`.

    Args:
        frame: agents, one row each: `algorithm` and the columns of `agent_rows`.
        method: see `paired_difference`; "iqm" takes the best by interquartile mean.
        level: significance level after correction.

    Returns:
        One row per algorithm, in order of first appearance, with columns
        `algorithm`; `behind`, the best minus this row on common cells; `standard_error`;
        `degrees_of_freedom`; `p_value`; `corrected_p`, by Holm over the rows that were compared;
        and `not_worse`: the best itself, and all that the corrected test does not find worse. A
        row without a number (a diverged agent) is never marked. One that shares fewer than two
        cells with the best cannot be tested and counts as not worse.

    Raises:
        ValueError: a column is missing, or two agents of a row share a cell.
    """
    require(frame, ["algorithm"], "The agents")
    rows = agent_rows(frame)
    scores = scores_by_cell(rows)[list(dict.fromkeys(frame["algorithm"]))]
    lost = set(rows["algorithm"][rows["score"].isna()])
    centres = pd.Series(
        {name: math.nan if name in lost else _centre(scores[name], method) for name in scores},
        dtype=float,
    )
    columns = ["behind", "standard_error", "degrees_of_freedom", "p_value"]
    known = centres.dropna()
    lines = {name: [math.nan] * 4 for name in centres.index}
    if len(known):
        best = known.idxmax()
        pairs = {name: scores[[best, name]].dropna() for name in known.index if name != best}
        for name, pair in pairs.items():
            values = pair.to_numpy()
            test = of_arrays(values[:, 0], values[:, 1], _draws(pair), method)
            lines[name] = [test.mean, test.standard_error, test.degrees_of_freedom, test.p_value]
        if method == "t":
            lines |= _with_shared_draws(scores[list(known.index)], pairs)
        lines[best] = [0.0, *[math.nan] * 3]
    found = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    found["corrected_p"] = holm(found["p_value"])
    # On the common cells alone, the best may even be behind.
    worse = (found["corrected_p"] < level) & (found["behind"] > 0)
    found["not_worse"] = found.index.isin(known.index) & ~worse
    return found.rename_axis("algorithm").reset_index()


def can_find_worse(pairs: int, compared: int) -> bool:
    """Whether a corrected permutation test can find any row worse than the best.

    Its smallest p value, two-sided, is that of one sign in all differences: two of the
    ``2**pairs`` ways to draw the signs.

    Args:
        pairs: differences of agents per row.
        compared: rows that are compared with the best.
    """
    return 2.0 ** (1 - pairs) * compared < LEVEL


@dataclass(frozen=True)
class BestOf:
    """Whether the best of several rows is better than the next.

    Attributes:
        best: the row with the highest mean.
        runner_up: the next.
        rows: how many were compared.
        difference: the best minus the runner-up on common cells.
        standard_error: the standard error of the difference.
        p_value: two-sided, of this one pair.
        corrected_p: the same after Holm's correction over all rows that the best was chosen over.
        significant: whether `corrected_p` is below the level.
    """

    best: str
    runner_up: str
    rows: int
    difference: float
    standard_error: float
    p_value: float
    corrected_p: float
    significant: bool

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if math.isnan(self.corrected_p):
            return (
                f"{self.best} has the highest mean of {self.rows} rows; with so few agents it "
                f"cannot be tested against {self.runner_up}."
            )
        verdict = "is" if self.significant else "is not"
        decimals = digits.after_point([self.difference, self.standard_error])
        return (
            f"{self.best}, the highest of {self.rows} rows, {verdict} significantly better than "
            f"{self.runner_up} (difference {self.difference:.{decimals}f} ± "
            f"{self.standard_error:.{decimals}f}, "
            f"corrected p = {self.corrected_p:.2g})."
        )


def best_of(
    frame: pd.DataFrame, compared: int | None = None, level: float = LEVEL
) -> BestOf | None:
    """Test the best row against the runner-up, corrected for the choice among all rows.

    It agrees with `differences_to_best`: the runner-up is not marked there if and only if the best
    is significantly better here (unless `compared` says that more rows were tried).

    Args:
        frame: agents, see `differences_to_best`.
        compared: rows that the best was chosen from, where more were tried than `frame` holds. The
            others count as if they were no worse than the runner-up.
        level: significance level after correction.

    Returns:
        None where fewer than two rows have a number.

    Raises:
        ValueError: as `differences_to_best`; or `compared` is less than the rows of `frame`.
    """
    table = differences_to_best(frame, level=level).set_index("algorithm")
    means = row_means(frame).set_index("algorithm")["mean"].dropna()
    rows = len(means) if compared is None else compared
    if rows < len(means):
        raise ValueError(f"compared ({compared}) is less than the {len(means)} rows given.")
    if len(means) < 2:
        return None
    best = means.idxmax()
    runner_up = means.drop(best).idxmax()
    line = table.loc[runner_up]
    others = pd.Series(1.0, index=range(rows - len(means)))
    corrected = float(holm(pd.concat([table["p_value"], others]))[runner_up])
    return BestOf(
        str(best),
        str(runner_up),
        rows,
        float(line["behind"]),
        float(line["standard_error"]),
        float(line["p_value"]),
        corrected,
        corrected < level and float(line["behind"]) > 0,
    )


def scores_by_cell(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores with a row per (data_draw, seed) and a column per algorithm.

    What is missing or diverged is NaN.

    Args:
        rows: as `agent_rows` returns them, with a column `algorithm`.

    Raises:
        ValueError: two agents of an algorithm share a cell.
    """
    scores = rows.set_index([*CELL, "algorithm"])["score"]
    twice = scores.index[scores.index.duplicated()]
    if len(twice):
        draw, seed, name = twice[0]
        raise ValueError(f"{name} has more than one agent of seed {seed} on data draw {draw}.")
    return scores.unstack("algorithm")


def _centre(scores: pd.Series, method: Method) -> float:
    """What decides which row is best."""
    known = scores.dropna()
    if method == "iqm":
        return interquartile_mean(known)
    return mean_and_error(known, _draws(known))[0]


def _draws(rows: pd.DataFrame | pd.Series) -> np.ndarray:
    return rows.index.get_level_values(CELL[0]).to_numpy()


def _with_shared_draws(
    scores: pd.DataFrame, pairs: Mapping[str, pd.DataFrame]
) -> dict[str, list[float]]:
    """Lines of the differences with few data draws, by one inflation factor for all rows."""
    factor, of_factor = _inflation(scores)
    lines = {}
    for name, pair in pairs.items():
        labels, index = np.unique(_draws(pair), return_inverse=True)
        spare = len(pair) - len(labels)
        if not 2 <= len(labels) < ENOUGH_DRAWS or spare < 1 or math.isnan(factor):
            continue
        values = pair.to_numpy()[:, 0] - pair.to_numpy()[:, 1]
        error = math.sqrt(factor * variances_of_mean(values, index)[1])
        # Satterthwaite's rule for the product of two estimates.
        freedom = 1.0 / (1.0 / of_factor + 1.0 / spare)
        mean = mean_and_error(values, index)[0]
        lines[name] = [mean, error, freedom, t_test(mean, error, freedom)]
    return lines


def _inflation(scores: pd.DataFrame) -> tuple[float, float]:
    """By how much data draws inflate the variance that agents leave, and its degrees of freedom.

    The mean over rows of (variance between draws) / (variance within draws), at least 1, of each
    row's deviation from the median of all rows in the same cell: what is common to all rows does
    not touch their differences. It assumes that draws matter to each row in proportion to what its
    agents vary. Each ratio is freed of its bias by its denominator's degrees of freedom.

    Args:
        scores: as `scores_by_cell`, of rows with a number.
    """
    deviations = scores.sub(scores.median(axis=1), axis=0)
    ratios, weights = [], []
    for name in deviations:
        known = deviations[name].dropna()
        labels, index = np.unique(_draws(known), return_inverse=True)
        spare = len(known) - len(labels)
        if len(labels) < 2 or spare <= 2:
            continue
        between, within = variances_of_mean(known.to_numpy(), index)
        if within > 0.0:
            ratios.append(between / within * (spare - 2) / spare)
            weights.append(len(labels) - 1)
    if len(ratios) < 2:
        return math.nan, math.nan
    # All rows share their median, which costs one of them.
    freedom = float(np.mean(weights)) * (len(ratios) - 1)
    return max(1.0, float(np.average(ratios, weights=weights))), freedom
