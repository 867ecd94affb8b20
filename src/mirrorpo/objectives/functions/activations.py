"""The nine activations of the paper's networks (section 3.1), guarded to be finite everywhere.

Each is exact between its ``low`` and ``high``; beyond them it continues along its tangent. Below
``start`` and above ``stop``, where the paper's formula clips, it is constant. So every activation
is non-decreasing on all reals, grows at most linearly, and has a slope of at most 22027:

- the square, the cube and the exponential leave their formula beyond `LIMIT`, and tanh, flat to
  1e-17 by then, beyond twice that;
- the roots and the logarithm, whose slope is infinite at 0, leave it below `FLOOR`, and the logit
  within `FLOOR` of 0 and of 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..arrays import Array, namespace

FLOOR = 1e-2
"""The nearest to a singularity that an activation follows its formula."""

LIMIT = 10.0
"""The farthest from 0 that a fast-growing activation follows its formula."""


@dataclass(frozen=True)
class Activation:
    """A non-decreasing function of a pre-activation, an array of any shape.

    Fields:
        formula, slope: the function and its derivative between ``low`` and ``high``.
        low, high: beyond these, the tangent.
        start, stop: beyond these, constant.
    """

    formula: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    low: float | None = None
    high: float | None = None
    start: float | None = None
    stop: float | None = None

    def __call__(self, z: Array) -> Array:
        """The function's value at each element."""
        z = _clip(z, self.start, self.stop)
        inside = _clip(z, self.low, self.high)
        return self.formula(inside) + self.slope(inside) * (z - inside)

    def derivative(self, z: Array) -> Array:
        """The slope at each element; where it jumps, that of one side."""
        xp = namespace(z)
        slope = self.slope(_clip(z, self.low, self.high))
        if self.start is not None:
            slope = xp.where(z > self.start, slope, xp.zeros_like(slope))
        if self.stop is not None:
            slope = xp.where(z < self.stop, slope, xp.zeros_like(slope))
        return slope

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where the derivatives jump."""
        edges = (self.start, self.low, self.high, self.stop)
        return tuple(edge for edge in edges if edge is not None)


def _clip(z: Array, low: float | None, high: float | None) -> Array:
    return z if low is None and high is None else namespace(z).clip(z, min=low, max=high)


def _tanh(z: Array) -> Array:
    # Not the library's: XLA's tanh decreases by several roundings between some neighbours.
    return 1.0 - 2.0 / (namespace(z).exp(2.0 * z) + 1.0)


def _tanh_slope(z: Array) -> Array:
    grown = namespace(z).exp(2.0 * z)
    return 4.0 * grown / ((grown + 1.0) * (grown + 1.0))


ACTIVATIONS: tuple[Activation, ...] = (
    Activation(lambda z: z, lambda z: namespace(z).ones_like(z)),
    Activation(lambda z: z * z, lambda z: 2.0 * z, start=0.0, high=LIMIT),
    Activation(lambda z: z * z * z, lambda z: 3.0 * z * z, low=-LIMIT, high=LIMIT),
    Activation(lambda z: z**0.5, lambda z: 0.5 * z**-0.5, start=0.0, low=FLOOR),
    Activation(lambda z: z ** (1 / 3), lambda z: z ** (-2 / 3) / 3.0, start=0.0, low=FLOOR),
    Activation(lambda z: namespace(z).log(z), lambda z: 1.0 / z, start=0.0, low=FLOOR),
    Activation(lambda z: namespace(z).exp(z), lambda z: namespace(z).exp(z), high=LIMIT),
    Activation(_tanh, _tanh_slope, low=-2.0 * LIMIT, high=2.0 * LIMIT),
    Activation(
        lambda z: namespace(z).log(z / (1.0 - z)),
        lambda z: 1.0 / (z * (1.0 - z)),
        start=0.0,
        stop=1.0,
        low=FLOOR,
        high=1.0 - FLOOR,
    ),
)
"""In the paper's order: ``x, (x)+^2, x^3, (x)+^1/2, (x)+^1/3, log (x)+, e^x, tanh, logit``."""
