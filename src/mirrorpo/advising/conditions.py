"""What a preference dataset is like, as far as it can be told from outside."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mirrorpo.advising import noise
from mirrorpo.advising.noise import NoiseEstimate
from mirrorpo.advising.pairs import Pairs
from mirrorpo.cross_fitting import FEWEST_PAIRS

NEAR = 0.25
"""Two sequences are near-equal in quality if they differ by less than this share of a large
difference, the 90 % quantile of all."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """How likely the data are under a reference policy.

    Log-probs are means over steps, words or tokens.

    Attributes:
        chosen: 5 %, 50 % and 95 % quantile of the chosen sequences' log-probs.
        rejected: the same quantiles of the rejected sequences' log-probs.
        prefers_chosen: share of pairs whose chosen is the likelier one.
        uncovered: share of chosen sequences that are less likely than 19 of 20 rejected ones; 5 %
            where both are covered alike.
    """

    chosen: tuple[float, float, float]
    rejected: tuple[float, float, float]
    prefers_chosen: float
    uncovered: float


@dataclass(frozen=True, eq=False)
class Conditions:
    """Estimates of one dataset.

    Attributes:
        kind: "trajectories" or "texts".
        pairs: how many there are.
        modelled: from how many of them, drawn at random, noise and near_equal are estimated.
        noise: the rate of wrong labels, of the pairs whose two sequences differ.
        near_equal: share of pairs of nearly equal quality, see `NEAR`.
        longer_chosen: share of pairs whose chosen is longer, of those that differ in length; NaN
            where none does.
        length_ratio: geometric mean of the chosen's length relative to the rejected's.
        identical: share of pairs whose two sequences are the same.
        coverage: under a reference; None without one.
    """

    kind: str
    pairs: int
    modelled: int
    noise: NoiseEstimate
    near_equal: float
    longer_chosen: float
    length_ratio: float
    identical: float
    coverage: Coverage | None


def estimate(
    pairs: Pairs, seed: int = 0, fitted: Callable[[int], object] = lambda models: None
) -> Conditions:
    """Estimate what can be estimated.

    Args:
        pairs: the pairs.
        seed: the seed of folds and bootstrap.
        fitted: told how many of the preference models there are so far.

    Raises:
        ValueError: too few pairs that differ, see `noise.margins`.
    """
    # Where both sides are the same, a label means nothing, and can be neither right nor wrong.
    judged = pairs.judged
    if not judged.all() and judged.sum() < FEWEST_PAIRS:
        raise ValueError(
            f"Only {judged.sum()} of {len(judged)} pairs differ between chosen and rejected: at "
            f"least {FEWEST_PAIRS} must."
        )
    margin = noise.margins(pairs, seed, fitted)
    quality = np.zeros(len(judged))
    quality[judged] = margin
    differ = pairs.chosen_length != pairs.rejected_length
    longer = (pairs.chosen_length > pairs.rejected_length)[differ]
    ratio = np.log(np.maximum(pairs.chosen_length, 1) / np.maximum(pairs.rejected_length, 1))
    return Conditions(
        pairs.kind,
        len(pairs),
        len(pairs.modelled),
        noise.estimate(margin, pairs.kind, seed),
        near_equal_share(quality),
        float(longer.mean()) if differ.any() else float("nan"),
        float(np.exp(ratio.mean())),
        float(pairs.identical.mean()),
        None if pairs.reference is None else coverage(pairs.reference),
    )


def near_equal_share(differences: np.ndarray) -> float:
    """Share of differences in quality, of either sign, below `NEAR` of a large one."""
    size = np.abs(differences)
    return float(np.mean(size < NEAR * np.quantile(size, 0.9)))


def coverage(log_probs: np.ndarray) -> Coverage:
    """See `Coverage`.

    Args:
        log_probs: the log-probs of chosen and rejected, shape (pairs, 2), means over steps, words
            or tokens.
    """
    low, middle, high = np.quantile(log_probs, (0.05, 0.5, 0.95), axis=0)
    return Coverage(
        (float(low[0]), float(middle[0]), float(high[0])),
        (float(low[1]), float(middle[1]), float(high[1])),
        float(np.mean(log_probs[:, 0] > log_probs[:, 1])),
        float(np.mean(log_probs[:, 0] < low[1])),
    )
