"""Whether two tables rank the same objectives alike."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mirrorpo.study.statistics.resampling import redrawn_means
from mirrorpo.study.statistics.row_means import row_means

FEWEST = 3
"""The order of fewer objectives says nothing: that of two is 1 or -1."""
RESAMPLES = 2000
MOST_BIAS = 0.5
"""The most that the bootstrap's median counts as biased, in standard deviations. Where noise
exceeds the differences of scores, the correction would call a chance agreement certain."""


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlations of two tables, each in [-1, 1], with 95 % bootstrap intervals.

    Attributes:
        algorithms: those with a score on both sides.
        spearman: Spearman's correlation; NaN below `FEWEST` algorithms or where a side is constant.
        spearman_interval: its interval; NaN where the correlation is.
        kendall: Kendall's tau-b.
        kendall_interval: its interval.
    """

    algorithms: tuple[str, ...]
    spearman: float
    spearman_interval: tuple[float, float]
    kendall: float
    kendall_interval: tuple[float, float]

    @property
    def sentence(self) -> str:
        """The finding in words."""
        count = len(self.algorithms)
        if count < FEWEST:
            return f"{count} common algorithms, too few for a rank correlation"
        if math.isnan(self.spearman):
            return f"{count} common algorithms, all equal on one side: no rank correlation"
        (low, high), (tau_low, tau_high) = self.spearman_interval, self.kendall_interval
        return (
            f"Spearman's rank correlation over {count} common algorithms: {self.spearman:.2f}, "
            f"95 % interval {low:.2f} to {high:.2f}; Kendall's {self.kendall:.2f}, "
            f"{tau_low:.2f} to {tau_high:.2f} (objectives and agents redrawn)"
        )


def rank_agreement(
    first: pd.DataFrame, second: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> RankAgreement:
    """Rank correlation of two tables, with an interval over objectives and agents.

    The bootstrap redraws both sources of chance: the agents behind each score (or the score, by
    its standard error, where a table has no agents), and which objectives the tables happen to
    hold. An interval over scores alone would speak of just these objectives. Scores drawn anew are
    noisier than those measured, which pulls correlations to zero: the ends are bias-corrected
    percentiles (Efron, "Better bootstrap confidence intervals", 1987, without acceleration), the
    correction bounded by `MOST_BIAS`.

    Args:
        first: agents or a table, see `row_means`. A row without a number is left out.
        second: the other side, likewise.
        resamples: the resamples of the bootstrap.
        seed: the seed of the bootstrap.

    Raises:
        ValueError: a column is missing.
    """
    sides = [row_means(side).set_index("algorithm")["mean"].dropna() for side in (first, second)]
    names = [name for name in sides[0].index if name in sides[1].index]
    unknown = (math.nan, math.nan)
    if len(names) < FEWEST:
        return RankAgreement(tuple(names), math.nan, unknown, math.nan, unknown)
    ours, theirs = (side.loc[names].to_numpy(float)[None] for side in sides)
    rng = np.random.default_rng(seed)
    drawn = [redrawn_means(side, names, resamples, rng) for side in (first, second)]
    chosen = rng.integers(len(names), size=(resamples, len(names)))
    one, two = (np.take_along_axis(means, chosen, axis=1) for means in drawn)
    found: list[Any] = []
    for correlation in (spearman, kendall):
        value = float(correlation(ours, theirs)[0])
        found += [value, _interval(value, correlation(one, two))]
    return RankAgreement(tuple(names), *found)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis of arrays of one shape (n, objects).

    Ties share their rank. NaN where a side is constant.
    """
    one, two = (stats.rankdata(side, axis=-1) for side in (first, second))
    one, two = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (one, two))
    return _ratio((one * two).sum(-1), (one**2).sum(-1), (two**2).sum(-1))


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Kendall's tau-b along the last axis, as `spearman`."""
    count = first.shape[-1]
    upper, lower = np.triu_indices(count, 1)
    one, two = (np.sign(side[..., upper] - side[..., lower]) for side in (first, second))
    return _ratio((one * two).sum(-1), (one**2).sum(-1), (two**2).sum(-1))


def _ratio(product: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    size = np.sqrt(one * two)
    safe = np.where(size > 0, size, 1.0)
    return np.where(size > 0, product / safe, np.nan)


def _interval(value: float, drawn: np.ndarray) -> tuple[float, float]:
    """95 % interval of `value` from its bootstrap, shape (resamples,); NaN are left out."""
    known = drawn[~np.isnan(drawn)]
    if math.isnan(value) or not len(known):
        return math.nan, math.nan
    below = np.mean(known < value) + 0.5 * np.mean(known == value)
    bias = float(np.clip(stats.norm.ppf(below), -MOST_BIAS, MOST_BIAS))
    ends = stats.norm.cdf(2.0 * bias + stats.norm.ppf([0.025, 0.975]))
    low, high = np.quantile(known, ends)
    return float(low), float(high)
