"""Win rates in percent, with bootstrap errors over the instructions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 9999
UNDEFINED_SHARE = 0.1
"""The share of bootstrap samples that may have no rate."""


@dataclass(frozen=True)
class Rate:
    """A win rate over instructions, in percent; 50 is a draw.

    Attributes:
        value: the rate.
        standard_error: standard deviation of the rate over bootstrap samples; NaN for one pair, or
            where the rate is not defined on too many samples.
        low, high: ends of the 95 % percentile interval; NaN where `standard_error` is.
    """

    value: float
    standard_error: float
    low: float
    high: float


def win_rate(preferences: Sequence[float], seed: int = 0) -> Rate:
    """Mean preference, ties counting half.

    Args:
        preferences: for the candidate, each in [0, 1].
        seed: the seed of the bootstrap.

    Raises:
        ValueError: no preferences.
    """
    values = 100.0 * np.asarray(preferences, dtype=np.float64)

    def rate(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    return bootstrap(rate, len(values), RESAMPLES, seed)


def bootstrap(rate: Callable[[np.ndarray], float], pairs: int, resamples: int, seed: int) -> Rate:
    """A rate and its errors, by resampling pairs with replacement.

    Samples on which the rate is not defined are left out, unless they are more than a tenth: the
    rest then says too little of all.

    Args:
        rate: takes the numbers of the drawn pairs, shape (pairs,), and gives their rate; NaN where
            it is not defined.
        pairs: how many there are.
        resamples: at least 2.
        seed: the seed of the resampling.

    Raises:
        ValueError: no pairs.
    """
    if pairs < 1:
        raise ValueError("There are no pairs: a win rate needs at least one.")
    value = rate(np.arange(pairs))
    if pairs == 1:
        return Rate(value, math.nan, math.nan, math.nan)
    draw = np.random.default_rng(seed)
    drawn = np.array([rate(draw.integers(0, pairs, pairs)) for _ in range(resamples)])
    samples = drawn[np.isfinite(drawn)]
    if len(samples) < (1.0 - UNDEFINED_SHARE) * resamples:
        return Rate(value, math.nan, math.nan, math.nan)
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(samples, [tail, 100.0 - tail])
    return Rate(value, float(np.std(samples, ddof=1)), float(low), float(high))
