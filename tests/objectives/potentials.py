"""Omega-potentials: the regularisers that the mirror family comes from (Definition 2.1, 3, E, F).

A potential phi is stated by its inverse, as in the objectives: a `ScalarFunction` of log p. `Log`
is phi = exp, ``Probability(scale=2)`` the l2 norm, `Power` a Tsallis entropy, and a
`MonotoneNetwork` is a learned one. `MirrorObjective` trains with ``phi^-1`` alone; what follows is
what that choice means, in NumPy, JAX or PyTorch arrays (best in float64: differences are small).
"""

import numpy as np

from mirrorpo.objectives import (
    Log,
    Logit,
    MonotoneNetwork,
    Power,
    Probability,
    Rescaled,
    ScalarFunction,
)
from mirrorpo.objectives.arrays import Array, as_array, namespace

SMALLEST_PROBABILITY = 1e-30
"""Probabilities count as at least this: ``phi^-1`` may be infinite at 0, its integral is not."""

LARGEST_RATIO = 1e6
"""Ratios of probabilities are integrated up to this."""

_PANEL = 0.5
"""The widest panel of a quadrature, in log p."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)


def inverse(potential: ScalarFunction, p: Array) -> Array:
    """``phi^-1(p)`` of probabilities, an array of any shape."""
    xp = namespace(p)
    return potential(xp.log(xp.clip(p, min=SMALLEST_PROBABILITY)))


def integral(potential: ScalarFunction, p: Array) -> Array:
    """The integral of ``phi^-1`` from 1 to ``p``, for each element of ``p``.

    In closed form for the usual potentials; for others by quadrature, split at a network's kinks.
    ``p`` may exceed 1, up to `LARGEST_RATIO`, as a ratio of probabilities does.
    """
    xp = namespace(p)
    p = xp.clip(p, min=SMALLEST_PROBABILITY)
    log_p = xp.log(p)
    if isinstance(potential, Log):
        return p * log_p - p + 1.0
    if isinstance(potential, Probability):
        return 0.5 * potential.scale * (p * p - 1.0)
    if isinstance(potential, Power):
        return _power_integral(potential, p, log_p)
    if isinstance(potential, Logit):
        rest = xp.clip(1.0 - p, min=SMALLEST_PROBABILITY)
        return p * log_p + rest * xp.log(rest)
    if isinstance(potential, Rescaled):
        whole = integral(potential.function, p * potential.scale)
        return (whole - integral(potential.function, xp.ones_like(p) * potential.scale)) / (
            potential.scale
        )
    return _quadrature(potential, log_p)


def mirror_map(potential: ScalarFunction, p: Array) -> Array:
    """``h_phi(p)``, the sum of `integral` over the last axis, which holds a distribution."""
    return namespace(p).sum(integral(potential, p), axis=-1)


def bregman_divergence(potential: ScalarFunction, p: Array, q: Array) -> Array:
    """``h(p) - h(q) - <grad h(q), p - q>`` of distributions on the last axis; at least 0."""
    xp = namespace(p, q)
    slope = xp.sum(inverse(potential, q) * (p - q), axis=-1)
    return mirror_map(potential, p) - mirror_map(potential, q) - slope


def f_divergence(potential: ScalarFunction, p: Array, q: Array) -> Array:
    """``sum_a q_a f(p_a / q_a)`` with ``f' = phi^-1`` and ``f(1) = 0``, over the last axis."""
    return namespace(p, q).sum(q * integral(potential, p / q), axis=-1)


def _power_integral(potential: Power, p: Array, log_p: Array) -> Array:
    """The integral of ``(1 - p^-alpha) / alpha``; at alpha 0 and 1 its limits, logarithms."""
    if abs(potential.alpha) < 1e-7:
        return integral(Log(), p)
    if abs(potential.alpha - 1.0) < 1e-7:
        return (p - 1.0) - log_p
    rest = 1.0 - potential.alpha
    powers = namespace(p).expm1(rest * log_p) / rest
    return (p - 1.0 - powers) / potential.alpha


def _quadrature(potential: ScalarFunction, log_p: Array) -> Array:
    """The integral of ``f(y) e^y`` from 0 to ``log_p``: Gauss-Legendre panels between kinks."""
    xp = namespace(log_p)
    kinks = potential.kinks() if isinstance(potential, MonotoneNetwork) else np.empty(0)
    regular = np.arange(np.log(SMALLEST_PROBABILITY), np.log(LARGEST_RATIO), _PANEL)
    toward_one = -(2.0 ** -np.arange(2.0, 40.0))  # a logit is singular at 1
    edges = as_array(np.unique(np.concatenate([regular, toward_one, [0.0], kinks])), log_p)
    zero = xp.zeros_like(log_p)
    low, high = xp.minimum(log_p, zero)[..., None], xp.maximum(log_p, zero)[..., None]
    ends = xp.minimum(xp.maximum(edges, low), high)
    size = ends[..., 1:] - ends[..., :-1]
    nodes, weights = as_array(0.5 * (_NODES + 1.0), log_p), as_array(0.5 * _WEIGHTS, log_p)
    y = ends[..., :-1, None] + size[..., None] * nodes
    panels = size * xp.sum(potential(y) * xp.exp(y) * weights, axis=-1)
    return xp.sum(panels, axis=-1) * xp.sign(log_p)
