"""Links: the scalar function ``g`` of a margin, to be **maximised**.

Each takes the scaled margin, an array of shape ``(batch,)`` with any real values, and returns an
array of that shape.
"""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, as_array, namespace
from ..component import number
from .scalars import ScalarFunction


@dataclass(frozen=True, kw_only=True)
class LogSigmoid(ScalarFunction):
    """``log sigmoid(x)``: the Bradley-Terry log-likelihood."""

    name: ClassVar[str] = "log-sigmoid"

    def __call__(self, x: Array) -> Array:
        return numerics.log_sigmoid(x)

    def derivative(self, x: Array) -> Array:
        return numerics.sigmoid(-x)


@dataclass(frozen=True, kw_only=True)
class Identity(ScalarFunction):
    """``x``: never flattens."""

    name: ClassVar[str] = "identity"

    def __call__(self, x: Array) -> Array:
        return x

    def derivative(self, x: Array) -> Array:
        return namespace(x).ones_like(x)


@dataclass(frozen=True, kw_only=True)
class Hinge(ScalarFunction):
    """``-max(0, margin - x)``: flat once the pair is ranked right by ``margin``."""

    name: ClassVar[str] = "hinge"
    margin: Number = number(1.0)

    def __call__(self, x: Array) -> Array:
        return -numerics.relu(self.margin - x)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x, self.margin)
        return xp.where(x < self.margin, xp.ones_like(x), xp.zeros_like(x))


@dataclass(frozen=True, kw_only=True)
class Square(ScalarFunction):
    """``-(x - target)^2``: decreases again beyond the target."""

    name: ClassVar[str] = "square"
    target: Number = number(1.0)

    def __call__(self, x: Array) -> Array:
        return -((x - self.target) * (x - self.target))


@dataclass(frozen=True, kw_only=True)
class SmoothedLogSigmoid(ScalarFunction):
    """The log-likelihood if each label were flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "smoothed-log-sigmoid"
    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def __call__(self, x: Array) -> Array:
        kept, flipped = numerics.log_sigmoid(x), numerics.log_sigmoid(-x)
        return (1.0 - self.label_smoothing) * kept + self.label_smoothing * flipped


@dataclass(frozen=True, kw_only=True)
class RobustLogSigmoid(ScalarFunction):
    """The unbiased estimate of the clean log-likelihood from labels flipped that often."""

    name: ClassVar[str] = "robust-log-sigmoid"
    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def __call__(self, x: Array) -> Array:
        kept, flipped = numerics.log_sigmoid(x), numerics.log_sigmoid(-x)
        weighted = (1.0 - self.label_smoothing) * kept - self.label_smoothing * flipped
        return weighted / (1.0 - 2.0 * self.label_smoothing)


@dataclass(frozen=True, kw_only=True)
class SmoothedHinge(ScalarFunction):
    """The hinge's value if each label were flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "smoothed-hinge"
    margin: Number = number(1.0)
    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def __call__(self, x: Array) -> Array:
        kept, flipped = numerics.relu(self.margin - x), numerics.relu(self.margin + x)
        return -((1.0 - self.label_smoothing) * kept + self.label_smoothing * flipped)


@dataclass(frozen=True, kw_only=True)
class NoiseTolerant(ScalarFunction):
    """``4 alpha / (1 + alpha)^2 (log sigmoid(x) - alpha sigmoid(-x))``.

    The second term is bounded, so the slope falls again where a pair is ranked very wrongly. The
    factor makes the largest slope 1.
    """

    name: ClassVar[str] = "noise-tolerant"
    alpha: Number = number(14.0, above=0)

    def __call__(self, x: Array) -> Array:
        scale = 4.0 * self.alpha / ((1.0 + self.alpha) * (1.0 + self.alpha))
        return scale * (numerics.log_sigmoid(x) - self.alpha * numerics.sigmoid(-x))


@dataclass(frozen=True, kw_only=True)
class FocalLogSigmoid(ScalarFunction):
    """``p^gamma log p`` with ``p = sigmoid(x)``: less weight on pairs ranked wrongly."""

    name: ClassVar[str] = "focal-log-sigmoid"
    gamma: Number = number(0.05, at_least=0)

    def __call__(self, x: Array) -> Array:
        log_p = numerics.log_sigmoid(x)
        return namespace(x, self.gamma).exp(self.gamma * log_p) * log_p


@dataclass(frozen=True, kw_only=True)
class NegativeReverseKL(ScalarFunction):
    """``-KL(q || p)`` of ``q = (sigmoid(x), sigmoid(-x))`` from smoothed labels ``p``."""

    name: ClassVar[str] = "negative-reverse-kl"
    label_smoothing: Number = number(1e-3, above=0, below=0.5)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x, self.label_smoothing)
        flipped = as_array(self.label_smoothing, x)
        log_win, log_lose = numerics.log_sigmoid(x), numerics.log_sigmoid(-x)
        win = xp.exp(log_win) * (log_win - xp.log1p(-flipped))
        lose = xp.exp(log_lose) * (log_lose - xp.log(flipped))
        return -(win + lose)


@dataclass(frozen=True, kw_only=True)
class Cubic(ScalarFunction):
    """``linear x + quadratic x^2 + cubic x^3``; the defaults are the paper's mixed-quality form."""

    name: ClassVar[str] = "cubic"
    linear: Number = number(1.7)
    quadratic: Number = number(0.33)
    cubic: Number = number(0.36)

    def __call__(self, x: Array) -> Array:
        return x * (self.linear + x * (self.quadratic + x * self.cubic))


@dataclass(frozen=True, kw_only=True)
class SquareOrLine(ScalarFunction):
    """``max(square max(x, 0)^2, slope x)``; the defaults are the paper's noisy form.

    Flat where the pair is ranked wrongly. The square is one-sided, as an increasing function's must
    be: the paper prints ``x^2``, which would reward a pair ranked very wrongly.
    """

    name: ClassVar[str] = "square-or-line"
    square: Number = number(1.39, above=0)
    slope: Number = number(0.12, above=0)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x)
        positive = numerics.relu(x)
        return xp.maximum(self.square * positive * positive, self.slope * x)
