"""Scalar functions of a probability: psi and the inverse potential of the mirror formula.

Each takes the **log**-probability, an array of any shape with values up to 0, and returns an array
of that shape. All are increasing, finite and differentiable for every float32 log-prob from
`numerics.LOWEST` on; objectives pass no lower one.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, as_array, namespace
from ..component import Component, function, number


class ScalarFunction(Component):
    """A function of one real variable: a frozen dataclass whose fields are its parameters."""

    family: ClassVar[str] = "function"

    @abstractmethod
    def __call__(self, x: Array) -> Array:
        """The function's value at each element of ``x``."""

    def derivative(self, x: Array) -> Array:
        """The function's slope at each element of ``x``.

        Raises:
            ValueError: if the function does not state its derivative.
        """
        raise ValueError(f"{self.name} does not state its derivative")

    def at(self, progress: Number) -> ScalarFunction:
        """The function at this progress of training, in [0, 1]: itself, unless it changes."""
        return self


@dataclass(frozen=True, kw_only=True)
class Log(ScalarFunction):
    """``log p``: the potential ``phi = exp`` of the negative entropy, and the SFT term."""

    name: ClassVar[str] = "log"

    def __call__(self, x: Array) -> Array:
        return x

    def derivative(self, x: Array) -> Array:
        return namespace(x).ones_like(x)


@dataclass(frozen=True, kw_only=True)
class Logit(ScalarFunction):
    """``log(p / (1 - p))``, ORPO's log-odds; a density of 1 or more counts as just below 1."""

    name: ClassVar[str] = "logit"

    def __call__(self, x: Array) -> Array:
        return x - numerics.log1mexp(x)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        inside = x < -numerics.SMALLEST_GAP
        return xp.where(inside, xp.exp(-numerics.log1mexp(x)), xp.ones_like(x))


@dataclass(frozen=True, kw_only=True)
class Probability(ScalarFunction):
    """``scale * p``; ``scale=2`` is the inverse potential of the l2 norm (paper, appendix F)."""

    name: ClassVar[str] = "probability"
    scale: Number = number(1.0, above=0)

    def __call__(self, x: Array) -> Array:
        return self.scale * numerics.exp(x)


@dataclass(frozen=True, kw_only=True)
class Power(ScalarFunction):
    """``(1 - p^-alpha) / alpha``, the Tsallis logarithm of order ``1 + alpha``.

    ``alpha = 0`` is ``log p``, ``-1`` is ``p - 1`` and 1 is ``1 - 1 / p``. Of a probability it is
    AlphaPO's reward; of a probability ratio, the derivative of the alpha-divergence.
    """

    name: ClassVar[str] = "power"
    alpha: Number = number(0.5)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x, self.alpha)
        alpha = as_array(self.alpha, x)
        # Below this size the power is the logarithm to single precision, and 0 / 0 is near.
        tiny = xp.abs(alpha) < 1e-7
        safe = xp.where(tiny, xp.ones_like(alpha), alpha)
        return xp.where(tiny, x, -numerics.expm1(-safe * x) / safe)


@dataclass(frozen=True, kw_only=True)
class JensenShannon(ScalarFunction):
    """``log(2 p / (1 + p))``, the derivative of the Jensen-Shannon divergence's generator."""

    name: ClassVar[str] = "jensen-shannon"

    def __call__(self, x: Array) -> Array:
        return 0.6931471805599453 + numerics.log_sigmoid(x)


@dataclass(frozen=True, kw_only=True)
class ChiSquared(ScalarFunction):
    """``p + log p``, the mixed chi-squared and KL potential of a probability ratio ``p``.

    The exponent is clipped to [-88, 20], where float32 holds it; the logarithm is not, so
    the gradient never vanishes.
    """

    name: ClassVar[str] = "chi-squared"

    def __call__(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.exp(xp.clip(x, min=-88.0, max=20.0)) + x


@dataclass(frozen=True, kw_only=True)
class Zero(ScalarFunction):
    """The constant 0: as psi, no SFT term."""

    name: ClassVar[str] = "zero"

    def __call__(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)


@dataclass(frozen=True, kw_only=True)
class Rescaled(ScalarFunction):
    """``function(scale p)``, which tells Bregman from f-divergences under a uniform reference.

    With such a reference over n outcomes, the f-divergence whose derivative is ``phi^-1`` trains
    as the Bregman divergence of ``Rescaled(phi^-1, scale=n)`` does (appendix E).
    """

    name: ClassVar[str] = "rescaled"

    function: ScalarFunction = function(Log())
    scale: Number = number(1.0, above=0)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x, self.scale)
        return self.function(x + xp.log(as_array(self.scale, x)))
