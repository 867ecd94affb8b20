"""Stable elementary functions: finite, with finite gradients, over the whole range of log-probs.

Each takes arrays of any shape and works element by element, except those of the whole batch:
`mean`, `variance`, `standard_deviation`, `log_mean_exp`, `quantile` and `sparsemax`.
"""

import numpy as np

from .arrays import Array, Number, as_array, detach, namespace

SMALLEST_GAP = 1e-15
"""A log-prob closer to 0 than this counts as this far away: bounds odds and their gradient so
that even its square, which gradient clipping forms, is a float32."""

LOWEST = -1e8
"""A log-prob below this counts as this: bounds squares, cubes and exponentials of margins."""

LARGEST_EXPONENT = 60.0
"""Where `exp` turns into its tangent: far beyond any useful value, far below float32's limit."""

_LOG_HALF = -0.6931471805599453


def log_sigmoid(x: Array) -> Array:
    """``log(1 / (1 + exp(-x)))``."""
    xp = namespace(x)
    return -xp.logaddexp(xp.zeros_like(x), -x)


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, in [0, 1]."""
    return namespace(x).exp(log_sigmoid(x))


def relu(x: Array) -> Array:
    """``max(x, 0)``, with gradient 0 at 0 in every library."""
    xp = namespace(x)
    return xp.where(x > 0, x, xp.zeros_like(x))


def at_least_lowest(x: Array) -> Array:
    """Log-probs ``x``, those below `LOWEST` taken as that, with gradient 1 everywhere.

    A clipped value alone would have gradient 0: nothing would raise such a sequence again.
    """
    xp = namespace(x)
    return xp.where(x < LOWEST, x - detach(x) + LOWEST, x)


def log1mexp(x: Array) -> Array:
    """``log(1 - exp(x))`` for a log-prob ``x``, taken as at most ``-SMALLEST_GAP``.

    Uses ``expm1`` near 0 and ``log1p`` elsewhere (Maechler, 2012, "Accurately computing
    log(1 - exp(-|a|))").
    """
    xp = namespace(x)
    x = xp.clip(x, max=-SMALLEST_GAP)
    near = x > _LOG_HALF
    from_near = xp.log(-xp.expm1(x))
    # Near 0 this branch is infinite: keep such input out, or its gradient is NaN where not taken.
    from_far = xp.log1p(-xp.exp(xp.where(near, xp.full_like(x, _LOG_HALF), x)))
    return xp.where(near, from_near, from_far)


def exp(x: Array) -> Array:
    """``exp(x)`` up to `LARGEST_EXPONENT` and its tangent beyond: increasing and finite."""
    xp = namespace(x)
    inside = xp.clip(x, max=LARGEST_EXPONENT)
    return xp.exp(inside) * (1.0 + (x - inside))


def expm1(x: Array) -> Array:
    """``exp(x) - 1``, accurate near 0, continued like `exp`."""
    xp = namespace(x)
    inside = xp.clip(x, max=LARGEST_EXPONENT)
    return xp.expm1(inside) + xp.exp(inside) * (x - inside)


def count(x: Array) -> int:
    """Pairs of a batch; 1 for a pair without batch axis."""
    size = 1
    for length in x.shape:
        size *= length
    return size


def mean(x: Array) -> Array:
    """The batch mean, a scalar."""
    return namespace(x).mean(x)


def variance(x: Array) -> Array:
    """The unbiased batch variance, a scalar; 0 for a batch of one."""
    xp = namespace(x)
    deviation = x - xp.mean(x)
    return xp.sum(deviation * deviation) / max(count(x) - 1, 1)


def standard_deviation(x: Array) -> Array:
    """The square root of `variance`, with gradient 0 where that is 0."""
    xp = namespace(x)
    spread = variance(x)
    positive = spread > 0
    root = xp.sqrt(xp.where(positive, spread, xp.ones_like(spread)))
    return xp.where(positive, root, xp.zeros_like(root))


def log_mean_exp(x: Array) -> Array:
    """``log(mean(exp(x)))`` over the batch, a scalar."""
    xp = namespace(x)
    largest = detach(xp.max(x))
    return largest + xp.log(xp.mean(xp.exp(x - largest)))


def quantile(x: Array, share: Number) -> Array:
    """The value that a ``share`` in [0, 1] of the batch lies below, a scalar.

    Linear between the two nearest order statistics, as `numpy.quantile` is by default.
    """
    xp = namespace(x)
    ordered = xp.sort(xp.reshape(x, (-1,)))
    places = as_array(np.arange(ordered.shape[0]), ordered)
    # A hat around the wanted place has the weights of both neighbours, also where it is traced.
    distance = xp.abs(places - as_array(share, ordered) * (ordered.shape[0] - 1))
    return xp.sum(relu(1.0 - distance) * ordered)


def sparsemax(x: Array) -> Array:
    """The point of the probability simplex that is nearest to ``x``; most entries are 0.

    Martins and Astudillo (2016), "From Softmax to Sparsemax", Algorithm 1.
    """
    xp = namespace(x)
    shifted = x - xp.max(x)
    ordered = -xp.sort(-xp.reshape(shifted, (-1,)))
    places = as_array(np.arange(1, ordered.shape[0] + 1), ordered)
    above = 1.0 + places * ordered > xp.cumulative_sum(ordered)
    inside = xp.where(above, xp.ones_like(ordered), xp.zeros_like(ordered))
    kept = xp.where(above, ordered, xp.zeros_like(ordered))
    threshold = (xp.sum(kept) - 1.0) / xp.sum(inside)
    return relu(shifted - threshold)
