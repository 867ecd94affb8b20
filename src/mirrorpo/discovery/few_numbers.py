"""The space of a search over the few numbers of the gated family: every member is a formula."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mirrorpo.objectives import Gated
from mirrorpo.objectives.arrays import namespace


class Coordinate(NamedTuple):
    """How one number depends on its coordinate, which starts at 0.

    Attributes:
        start: the number at 0.
        unit: change of the number, or of its logarithm, for a coordinate of 1.
        log: whether it is the logarithm.
        most: largest value of the number.
        least: smallest value of a number that is not searched by its logarithm.
    """

    start: float
    unit: float
    log: bool = True
    most: float = 30.0
    least: float = -math.inf

    def __call__(self, value: Any) -> Any:
        """The number at a coordinate, a scalar array."""
        xp = namespace(value)
        if not self.log:
            return xp.clip(self.start + self.unit * value, min=self.least, max=self.most)
        return xp.clip(self.start * xp.exp(xp.clip(self.unit * value, max=20.0)), max=self.most)


COORDINATES: Mapping[str, Coordinate] = MappingProxyType(
    {
        "lower": Coordinate(0.0, 0.5, log=False, most=3.0),
        "softness": Coordinate(0.25, 0.5, most=5.0),
        "trust": Coordinate(0.1, 0.7, most=1.0),
        "weight": Coordinate(0.3, 1.0),
        "delta": Coordinate(1.0, 0.7),
        "tilt": Coordinate(0.0, 0.5, log=False, most=0.95, least=-0.95),
    }
)
"""The searched numbers of `Gated`, for log-probs that are means over time steps. The start is
the plainest gate: once the policy agrees with the labels, it closes where the policy contradicts
one."""


def start() -> Gated:
    """The member where a search begins."""
    numbers: dict[str, Any] = {name: at.start for name, at in COORDINATES.items()}
    return replace(Gated(), **numbers)


def member_at(names: tuple[str, ...], vector: Any) -> Gated:
    """The member at a vector of coordinates; traceable by JAX.

    Args:
        names: the searched numbers, in the vector's order; the others stay at the start.
        vector: shape (names,).
    """
    return replace(
        start(), **{name: COORDINATES[name](vector[at]) for at, name in enumerate(names)}
    )


def origin(names: tuple[str, ...]) -> np.ndarray:
    """The vector of the start, shape (names,), float32."""
    return np.zeros(len(names), np.float32)
