"""Which rows of a table are not worse than the best, and whether the best is really the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mirrorpo.standard_error import mean_and_error, variances_of_mean
from mirrorpo.study.statistics.agent_rows import CELL, agent_rows, require
from mirrorpo.study.statistics.paired import Method, of_arrays, t_test
from mirrorpo.study.statistics.row_means import row_means
from mirrorpo.study.statistics.summary import interquartile_mean

LEVEL = 0.05
ENOUGH_DRAWS = 5
"""From so many data draws on, each difference's own draws tell its error."""

SHARED = 0.25
"""Correlation of the variance ratios of two differences that share the best row."""


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

    With one data draw, the error of a difference is over agents. With five or more it contains
    the draws, by each difference's own. With two to four, a row's own draws say next to nothing
    (one to three degrees of freedom), so one factor for all rows, by which draws inflate the
    variance that agents leave, is estimated from all rows together.

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
    scores = scores_by_cell(frame)
    lost = _lost(frame)
    centres = pd.Series(
        {
            name: math.nan
            if name in lost
            else interquartile_mean(scores[name].dropna())
            if method == "iqm"
            else _mean(scores[name].dropna())
            for name in scores
        },
        dtype=float,
    )
    columns = ["behind", "standard_error", "degrees_of_freedom", "p_value"]
    known = centres.dropna()
    lines = {name: [math.nan] * 4 for name in centres.index}
    if len(known):
        best = known.idxmax()
        pairs = {
            name: scores[[best, name]].dropna() for name in known.index if name != best
        }
        for name, pair in pairs.items():
            values = pair.to_numpy()
            test = of_arrays(values[:, 0], values[:, 1], _draws(pair), method)
            lines[name] = [test.mean, test.standard_error, test.degrees_of_freedom, test.p_value]
        if method == "t":
            lines |= _with_shared_draws(pairs)
        lines[best] = [0.0, *[math.nan] * 3]
    found = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    found["corrected_p"] = holm(found["p_value"])
    found["not_worse"] = found.index.isin(known.index) & ~(found["corrected_p"] < level)
    return found.rename_axis("algorithm").reset_index()


@dataclass(frozen=True)
class BestOf:
    """Whether the best of several rows is better than the next.

    Attributes:
        best: the row with the highest mean.
        runner_up: the next.
        rows: how many were compared.
        difference: the best minus the runner-up on common cells.
        standard_error: of the difference.
        p_value: two-sided, of this one pair.
        corrected_p: times the number of rows that the best was chosen over, at most 1.
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
        return (
            f"{self.best}, the highest of {self.rows} rows, {verdict} significantly better than "
            f"{self.runner_up} (difference {self.difference:.4g} ± {self.standard_error:.2g}, "
            f"corrected p = {self.corrected_p:.2g})."
        )


def best_of(
    frame: pd.DataFrame, compared: int | None = None, level: float = LEVEL
) -> BestOf | None:
    """Test the best row against the runner-up, corrected for the choice among all rows.

    Args:
        frame: agents, see `differences_to_best`.
        compared: rows that the best was chosen from, where more were tried than `frame` holds.
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
    corrected = min(1.0, float(line["p_value"]) * (rows - 1))
    if math.isnan(line["p_value"]):
        corrected = math.nan
    return BestOf(
        str(best),
        str(runner_up),
        rows,
        float(line["behind"]),
        float(line["standard_error"]),
        float(line["p_value"]),
        corrected,
        corrected < level,
    )


def scores_by_cell(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores with a row per (data_seed, seed) and a column per algorithm; NaN for what is missing
    or diverged.

    Raises:
        ValueError: a column is missing, or two agents of an algorithm share a cell.
    """
    require(frame, ["algorithm"], "The agents")
    rows = agent_rows(frame).set_index([*CELL, "algorithm"])["score"]
    twice = rows.index[rows.index.duplicated()]
    if len(twice):
        draw, seed, name = twice[0]
        raise ValueError(f"{name} has more than one agent of seed {seed} on data draw {draw}.")
    return rows.unstack("algorithm")[list(dict.fromkeys(frame["algorithm"]))]


def _lost(frame: pd.DataFrame) -> set[str]:
    """Rows with a diverged agent."""
    rows = agent_rows(frame)
    return set(rows["algorithm"][rows["score"].isna()])


def _mean(scores: pd.Series) -> float:
    return mean_and_error(scores, _draws(scores))[0]


def _draws(rows: pd.DataFrame | pd.Series) -> np.ndarray:
    return rows.index.get_level_values(CELL[0]).to_numpy()


def _with_shared_draws(pairs: Mapping[str, pd.DataFrame]) -> dict[str, list[float]]:
    """Lines of the differences with few data draws: one inflation factor for all rows.

    The factor is the mean over rows of (variance between draws) / (variance that agents leave),
    at least 1. It assumes that draws matter to a difference in proportion to what its agents vary.
    Each ratio is freed of its bias by its denominator's degrees of freedom. The rows share the
    best, so that their ratios are correlated (0.25 of normal scores); the factor's degrees of
    freedom count that, and the error's combine both by Satterthwaite's rule.
    """
    inside, ratios, draws = {}, [], []
    for name, pair in pairs.items():
        labels, index = np.unique(_draws(pair), return_inverse=True)
        spare = len(pair) - len(labels)
        if not 2 <= len(labels) < ENOUGH_DRAWS or spare <= 2:
            continue
        values = pair.to_numpy()[:, 0] - pair.to_numpy()[:, 1]
        between, within = variances_of_mean(values, index)
        if within > 0.0:
            mean = mean_and_error(values, index)[0]
            inside[name] = (mean, within, spare)
            ratios.append(between / within * (spare - 2) / spare)
            draws.append(len(labels) - 1)
    if not ratios:
        return {}
    factor = max(1.0, float(np.average(ratios, weights=draws)))
    of_factor = float(np.mean(draws)) / (SHARED + (1.0 - SHARED) / len(ratios))
    lines = {}
    for name, (mean, within, spare) in inside.items():
        error = math.sqrt(factor * within)
        freedom = 1.0 / (1.0 / of_factor + 1.0 / spare)
        lines[name] = [mean, error, freedom, t_test(mean, error, freedom)]
    return lines
