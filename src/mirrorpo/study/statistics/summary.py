"""The numbers of one table cell: mean, standard error and interquartile mean over its agents."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mirrorpo.resampling import nested_sample
from mirrorpo.standard_error import mean_and_error, one_dimensional

CONFIDENCE = 0.95
RESAMPLES = 9999
_CUT = 0.25


@dataclass(frozen=True)
class Summary:
    """What a group of agents scored. If any of them diverged, every number is NaN.

    Attributes:
        agents: how many were trained, diverged ones included.
        draws: how many data draws they were trained on.
        diverged: how many of the agents diverged.
        mean: mean score; with several draws the mean of the draws' means.
        standard_error: the standard error of the mean, see `error_over`; NaN for one agent.
        iqm: interquartile mean.
        iqm_low: lower end of its 95 % bootstrap interval; NaN for one agent.
        iqm_high: upper end.
    """

    agents: int
    draws: int
    diverged: int
    mean: float
    standard_error: float
    iqm: float
    iqm_low: float
    iqm_high: float

    @property
    def error_over(self) -> str:
        """What the standard error contains: "agents" of one data draw, or "agents and draws"."""
        return "agents" if self.draws == 1 else "agents and draws"


def summarise(
    scores: ArrayLike, diverged: ArrayLike, seed: int = 0, draws: ArrayLike | None = None
) -> Summary:
    """Summarise agents. None is dropped: one divergence leaves no number to report.

    Args:
        scores: shape (agents,); may be NaN where diverged.
        diverged: shape (agents,), bool. An agent whose score is not finite counts as well.
        seed: the seed of the bootstrap.
        draws: the data draw of each agent, shape (agents,); None for one draw.

    Raises:
        ValueError: no agents, or shapes that differ.
    """
    array = one_dimensional(scores, "scores")
    failed = np.asarray(diverged, dtype=bool)
    if failed.shape != array.shape:
        raise ValueError(
            f"scores and diverged must have one entry per agent: got {len(array)} scores and "
            f"diverged of shape {failed.shape}."
        )
    count = 1 if draws is None else len(np.unique(np.asarray(draws)))
    failed = failed | ~np.isfinite(array)
    if failed.any():
        return Summary(len(array), count, int(failed.sum()), *[math.nan] * 5)
    mean, error = mean_and_error(array, draws)
    low, high = interquartile_interval(array, seed, draws)
    return Summary(len(array), count, 0, mean, error, interquartile_mean(array), low, high)


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean without the lowest and highest quarter, each rounded down to whole agents.

    Args:
        scores: shape (agents,). Of fewer than four nothing is cut.

    Raises:
        ValueError: no scores.
    """
    return float(stats.trim_mean(one_dimensional(scores, "scores"), _CUT))


def interquartile_interval(
    scores: ArrayLike, seed: int = 0, draws: ArrayLike | None = None
) -> tuple[float, float]:
    """95 % bootstrap percentile interval of `interquartile_mean`; NaN for one agent.

    Args:
        scores: shape (agents,).
        seed: the seed of the resampling; the same scores in the same order give the same interval.
        draws: the data draw of each agent, shape (agents,). With several, draws are resampled
            first and agents within them, see `resampling.nested_sample`.

    Raises:
        ValueError: no scores.
    """
    array = one_dimensional(scores, "scores")
    if len(array) == 1:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    if draws is not None and len(np.unique(np.asarray(draws))) > 1:
        sample = array[nested_sample(np.asarray(draws), RESAMPLES, rng)]
        tail = 0.5 * (1.0 - CONFIDENCE)
        low, high = np.quantile(stats.trim_mean(sample, _CUT, axis=1), [tail, 1.0 - tail])
        return float(low), float(high)
    result = stats.bootstrap(
        (array,),
        lambda sample, axis: stats.trim_mean(sample, _CUT, axis=axis),
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=rng,
    )
    low, high = result.confidence_interval
    return float(low), float(high)
