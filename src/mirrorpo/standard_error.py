"""The one standard error of a mean that every part of the library reports."""

import math

import numpy as np
from numpy.typing import ArrayLike


def of_mean(values: ArrayLike) -> float:
    """Standard error of the mean of independent values; see `mean_and_error`."""
    return mean_and_error(values)[1]


def mean_and_error(values: ArrayLike, draws: ArrayLike | None = None) -> tuple[float, float]:
    """Mean and its standard error.

    Of independent values, the error is the sample standard deviation over root n. Of agents nested
    in data draws, the mean is the mean of the draws' means, and the error is the larger of two:
    the spread of the draws' means over root (number of draws), whose square is an unbiased
    estimate for any number of agents per draw, and what the agents within draws leave by
    themselves. A few draws that happen to agree can therefore not hide the spread of the agents.

    Args:
        values: shape (n,).
        draws: the data draw of each value, shape (n,); None, or all equal, for values of one draw.

    Returns:
        Mean and standard error. The error of a single value is NaN.

    Raises:
        ValueError: no values, or shapes that differ.
    """
    array = one_dimensional(values, "values")
    if draws is None:
        return _plain(array)
    groups = np.asarray(draws)
    if groups.shape != array.shape:
        raise ValueError(
            f"draws must name the draw of each value: got {len(array)} values and draws of shape "
            f"{groups.shape}."
        )
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return _plain(array)
    means = np.bincount(index, weights=array) / counts
    between, within = variances_of_mean(array, index)
    error = math.sqrt(between if math.isnan(within) else max(between, within))
    return float(means.mean()), error


def variances_of_mean(values: np.ndarray, index: np.ndarray) -> tuple[float, float]:
    """Two estimates of the variance of the mean of the draws' means.

    Args:
        values: shape (n,).
        index: the draw of each value, counted from 0, shape (n,); at least two draws.

    Returns:
        From the spread of the draws' means, which holds both sources of chance; and from the
        spread of agents within draws alone, NaN where every draw has one agent.
    """
    counts = np.bincount(index)
    draws = len(counts)
    means = np.bincount(index, weights=values) / counts
    between = float(np.var(means, ddof=1) / draws)
    freedom = len(values) - draws
    if freedom == 0:
        return between, math.nan
    pooled = np.sum((values - means[index]) ** 2) / freedom
    return between, float(pooled * np.sum(1.0 / counts) / draws**2)


def one_dimensional(values: ArrayLike, name: str) -> np.ndarray:
    """`values` as float64 of one dimension.

    Raises:
        ValueError: another number of dimensions, or no entries; the message says `name`.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty: at least one entry is needed.")
    return array


def _plain(array: np.ndarray) -> tuple[float, float]:
    error = np.std(array, ddof=1) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    return float(np.mean(array)), float(error)
