"""Schedules: how the weight moves from the SFT term to the preference term during training.

Each takes the progress of training, in [0, 1], and returns the preference term's weight in [0, 1].
"""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number
from ..component import number
from .scalars import ScalarFunction


@dataclass(frozen=True, kw_only=True)
class Linear(ScalarFunction):
    """``t``: schedule (1) of the paper's section 4.3."""

    name: ClassVar[str] = "linear"

    def __call__(self, x: Array) -> Array:
        return x


@dataclass(frozen=True, kw_only=True)
class Quadratic(ScalarFunction):
    """``t^2``: schedule (2)."""

    name: ClassVar[str] = "quadratic"

    def __call__(self, x: Array) -> Array:
        return x * x


@dataclass(frozen=True, kw_only=True)
class Sigmoid(ScalarFunction):
    """``sigmoid(steepness (t - centre))``: schedule (3)."""

    name: ClassVar[str] = "sigmoid"
    steepness: Number = number(20.0, above=0)
    centre: Number = number(0.75)

    def __call__(self, x: Array) -> Array:
        return numerics.sigmoid(self.steepness * (x - self.centre))
