"""How often labels are wrong, from preference models that have not seen them.

A model of the preferences is trained on four fifths of the pairs and asked about the last fifth.
Where it disagrees with a label, one of the two is wrong. Which, tells how sure the model is: with
labels flipped at the rate e, and a model whose margin s (positive: it agrees) is right with
probability sigmoid(a s), the share of agreement among pairs of one size of margin is

    P(agree | s) = e + (1 - 2 e) sigmoid(a s).

A model's surest pairs still disagree at the rate e, so its own errors are not counted as noise.
Where a model is sure of no pair, or its margins say little of how right it is, as on a few hundred
hard texts, e and a cannot be told apart by the data. So the estimate is Bayesian: log a is normal
as in `PRIORS`, and e has a density that falls linearly to none at 0.5, where labels carry nothing.
Little is known of texts beforehand, and where they do not tell either, the interval is wide.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mirrorpo.advising.pairs import Pairs
from mirrorpo.cross_fitting import cross_fitted_margins

MOST_PAIRS = 4000
SAMPLES = 2000
PRIORS = {"trajectories": (1.5, 1.0), "texts": (0.0, 3.0)}
"""Mean and standard deviation of log a. How a robot moves mostly says how well it does: a model is
taken to be right about a pair of typical margin 99 % of the time, or, one deviation less sure,
84 %. Words may say anything or nothing: one deviation on either side is 51 % and always."""

HELD = 0.9
"""Share of the posterior that the interval holds."""

_RATES = np.linspace(0.0, 0.49, 197)
_SLOPES = np.exp(np.linspace(-4.0, 5.0, 73))


@dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """The rate of wrong labels.

    Attributes:
        rate: in [0, 0.5), the posterior's median.
        low: lower end of the shortest interval that holds 90 % of the posterior.
        high: upper end.
        samples: the samples of the posterior, shape (SAMPLES,).
        disagreement: share of labels that the models disagree with: noise and their own errors.
    """

    rate: float
    low: float
    high: float
    samples: np.ndarray
    disagreement: float


def margins(
    pairs: Pairs, seed: int = 0, fitted: Callable[[int], object] = lambda models: None
) -> np.ndarray:
    """What models that were trained on other pairs say of each label: positive, they agree.

    Logistic models without intercept, so exchanging chosen and rejected changes the sign alone.
    Pairs of one group are always in one fold.

    Args:
        pairs: the pairs.
        seed: draws the folds.
        fitted: told how many models there are so far.

    Returns:
        Of the modelled pairs that differ, shape (judged,), in units of their own median size.

    Raises:
        ValueError: too few pairs, or groups; see `cross_fitted_margins`.
    """
    judged = pairs.judged
    group = pairs.group[pairs.modelled[judged]]
    difference = pairs.difference if judged.all() else pairs.difference[judged]
    return cross_fitted_margins(difference, group, pairs.regularisation, seed, fitted)


def estimate(margin: np.ndarray, kind: str, seed: int = 0) -> NoiseEstimate:
    """The rate of wrong labels from `margins`.

    Args:
        margin: shape (pairs,).
        kind: the kind of the pairs, a key of `PRIORS`.
        seed: the seed of the posterior's samples, and of the choice among more than `MOST_PAIRS`
            pairs.
    """
    draw = np.random.default_rng(seed)
    if len(margin) > MOST_PAIRS:
        margin = draw.choice(margin, MOST_PAIRS, replace=False)
    right = 0.5 * (1.0 + np.tanh(0.5 * _SLOPES[:, None] * margin))
    mean, deviation = PRIORS[kind]
    of_slope = -0.5 * ((np.log(_SLOPES) - mean) / deviation) ** 2
    log_posterior = np.stack(
        [
            of_slope
            + np.log(1.0 - 2.0 * rate)
            + np.log(np.maximum(rate + (1.0 - 2.0 * rate) * right, 1e-9)).sum(axis=1)
            for rate in _RATES
        ]
    )
    posterior = np.exp(log_posterior - log_posterior.max())
    posterior /= posterior.sum()
    of_rate = posterior.sum(axis=1)
    samples = draw.choice(_RATES, SAMPLES, p=of_rate)
    middle = np.interp(0.5, np.cumsum(of_rate), _RATES)
    likeliest = np.argsort(-of_rate, kind="stable")
    held = _RATES[likeliest[: np.searchsorted(np.cumsum(of_rate[likeliest]), HELD) + 1]]
    return NoiseEstimate(
        float(middle),
        float(held.min()),
        float(held.max()),
        samples,
        float(np.mean(margin < 0)),
    )
