"""Sane behaviour outside the range that a search has visited."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from ..arrays import Array, Number, detach, namespace
from ..component import function, number
from .links import LogSigmoid
from .scalars import ScalarFunction


@dataclass(frozen=True, kw_only=True)
class Extended(ScalarFunction):
    """``function`` from ``low`` to ``high``, and its tangents at the ends beyond.

    A discovered function is known where its search has looked, and may do anything elsewhere:
    vanish, explode, stop pushing. The tangents keep it increasing, with the last known slope.

    Raises:
        ValueError: when called, if ``function`` does not state its derivative.
    """

    name: ClassVar[str] = "extended"

    function: ScalarFunction = function(LogSigmoid())
    low: Number = number(-10.0)
    high: Number = number(10.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.low, Real) and isinstance(self.high, Real) and not self.low < self.high:
            raise ValueError(f"{self.name}: low is {self.low!r}, but must be below {self.high!r}")

    @property
    def input(self) -> str | None:
        """What the argument of a network inside is."""
        return getattr(self.function, "input", None)

    def at(self, progress: Number) -> Extended:
        return Extended(function=self.function.at(progress), low=self.low, high=self.high)

    def __call__(self, x: Array) -> Array:
        inside = self._inside(x)
        # The slope varies with x only inside, where its factor is 0: constant for the gradient.
        return self.function(inside) + self.derivative(detach(x)) * (x - inside)

    def derivative(self, x: Array) -> Array:
        return self.function.derivative(self._inside(x))

    def _inside(self, x: Array) -> Array:
        return namespace(x, self.low, self.high).clip(x, min=self.low, max=self.high)
