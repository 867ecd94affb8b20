"""Statistics of trained agents: each score is one agent's mean true return."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9999
_CUT = 0.25


@dataclass(frozen=True)
class Summary:
    """What a group of agents scored. If any of them diverged, every number is NaN.

    Attributes:
        agents: how many were trained, diverged ones included.
        diverged: how many of them diverged.
        mean: mean score.
        standard_error: of the mean; NaN for one agent.
        iqm: interquartile mean.
        iqm_low: lower end of its 95 % bootstrap interval; NaN for one agent.
        iqm_high: upper end.
    """

    agents: int
    diverged: int
    mean: float
    standard_error: float
    iqm: float
    iqm_low: float
    iqm_high: float


def summarise(scores: ArrayLike, diverged: ArrayLike, seed: int = 0) -> Summary:
    """Summarise agents, of which none is dropped: one divergence leaves no number to report.

    Args:
        scores: shape (agents,); may be NaN where diverged.
        diverged: shape (agents,), bool. An agent whose score is not finite counts as well.
        seed: of the bootstrap.

    Raises:
        ValueError: no agents, or shapes that differ.
    """
    array = _one_dimensional(scores, "scores")
    failed = np.asarray(diverged, dtype=bool)
    if failed.shape != array.shape:
        raise ValueError(
            f"scores and diverged must have one entry an agent: got {len(array)} scores and "
            f"diverged of shape {failed.shape}."
        )
    failed = failed | ~np.isfinite(array)
    if failed.any():
        return Summary(len(array), int(failed.sum()), *[math.nan] * 5)
    mean, error = mean_and_error(array)
    low, high = interquartile_interval(array, seed)
    return Summary(len(array), 0, mean, error, interquartile_mean(array), low, high)


def mean_and_error(scores: ArrayLike) -> tuple[float, float]:
    """Mean and its standard error (sample standard deviation over root n; NaN for one agent).

    Args:
        scores: shape (agents,).

    Raises:
        ValueError: no scores.
    """
    array = _one_dimensional(scores, "scores")
    error = np.std(array, ddof=1) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    return float(np.mean(array)), float(error)


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean without the lowest and highest quarter, each rounded down to whole agents.

    Args:
        scores: shape (agents,). Of fewer than four nothing is cut.

    Raises:
        ValueError: no scores.
    """
    return float(stats.trim_mean(_one_dimensional(scores, "scores"), _CUT))


def interquartile_interval(scores: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap percentile interval of `interquartile_mean`; NaN for one agent.

    Args:
        scores: shape (agents,).
        seed: of the resampling; the same scores in the same order give the same interval.

    Raises:
        ValueError: no scores.
    """
    array = _one_dimensional(scores, "scores")
    if len(array) == 1:
        return math.nan, math.nan
    result = stats.bootstrap(
        (array,),
        lambda sample, axis: stats.trim_mean(sample, _CUT, axis=axis),
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def normalised_score(score: ArrayLike, worse: float, better: float) -> np.ndarray:
    """Where a score lies between the source agents: 0 is the worse one's, 1 the better one's.

    Args:
        score: any shape.
        worse: mean true return of the worse source agent.
        better: of the better one.

    Returns:
        (score - worse) / (better - worse), of the shape of `score`, not clipped.

    Raises:
        ValueError: better does not exceed worse.
    """
    if not better > worse:
        raise ValueError(f"better must exceed worse: got better {better} and worse {worse}.")
    return (np.asarray(score, dtype=np.float64) - worse) / (better - worse)


def rank_correlation(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Spearman's rank correlation of two scores of the same things, in [-1, 1].

    Only names that have a finite score in both count. NaN where one of the two is constant.

    Raises:
        ValueError: fewer than two such names.
    """
    names = [
        name
        for name in first
        if name in second and math.isfinite(first[name]) and math.isfinite(second[name])
    ]
    if len(names) < 2:
        raise ValueError(
            "A rank correlation needs at least two names with a finite score on both sides: got "
            f"{', '.join(names) or 'none'}."
        )
    pairs = np.array([(first[name], second[name]) for name in names], dtype=np.float64)
    if (pairs == pairs[0]).all(axis=0).any():
        return math.nan
    return float(stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def best_by_overlap(mean: ArrayLike, error: ArrayLike) -> np.ndarray:
    """The highest mean, and every one whose mean +- error overlaps the highest's.

    Args:
        mean: shape (n,). A NaN entry is never best.
        error: standard errors, shape (n,), not negative; NaN (one agent) counts as 0.

    Returns:
        Mask of shape (n,), bool. Touching intervals overlap.

    Raises:
        ValueError: no entries, shapes that differ or a negative error.
    """
    centre = _one_dimensional(mean, "mean")
    width = _one_dimensional(error, "error")
    if width.shape != centre.shape:
        raise ValueError(f"mean and error differ in length: {len(centre)} and {len(width)}.")
    if (width < 0).any():
        raise ValueError("error must not be negative.")
    return best_by_interval(centre, centre - width, centre + width)


def best_by_interval(value: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """The highest value, and every one whose [low, high] overlaps the highest's.

    Args:
        value: shape (n,). A NaN entry is never best.
        low: lower ends, shape (n,); a NaN end counts as the value itself.
        high: upper ends, likewise.

    Returns:
        Mask of shape (n,), bool. Touching intervals overlap.

    Raises:
        ValueError: no entries, or shapes that differ.
    """
    centre, lower, upper = (
        _one_dimensional(values, name)
        for values, name in ((value, "value"), (low, "low"), (high, "high"))
    )
    if not lower.shape == upper.shape == centre.shape:
        raise ValueError(
            f"value, low and high differ in length: {len(centre)}, {len(lower)} and {len(upper)}."
        )
    known = ~np.isnan(centre)
    if not known.any():
        return known
    lower = np.where(np.isnan(lower), centre, lower)
    upper = np.where(np.isnan(upper), centre, upper)
    # Of several highest the widest interval counts, so that their order does not matter.
    floor = lower[centre == centre[known].max()].min()
    return known & (upper >= floor)


def _one_dimensional(values: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty: at least one entry is needed.")
    return array
