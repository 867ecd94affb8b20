"""A hand-made function and a network as one: how a search starts from any known function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arrays import Array, Number, as_array
from ..component import array, function
from .links import Hinge
from .networks import ArrayFunction, MonotoneNetwork, non_negative
from .scalars import ScalarFunction


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmented(ArrayFunction):
    """``w(coefficient) term(x) + network(x)``: one more term beside those that a network has.

    w is `networks.non_negative`. Where the term is non-decreasing, as a hinge is, the whole is
    increasing for every parameter vector, and with a network that is absent at its start the search
    starts at the term itself. Not the paper's: its networks have the terms log, logit and log
    sigmoid only, none of which has a hinge's sharp knee.

    Fields:
        term: what is added; it is not searched.
        coefficient: its raw weight, shape (1,).
        network: the rest, a `MonotoneNetwork` or a `TimedNetwork`.
    """

    name: ClassVar[str] = "augmented"

    term: ScalarFunction = function(Hinge())
    coefficient: Array = array((1,), np.ones(1, np.float32))
    network: ScalarFunction = function(MonotoneNetwork.link())

    @property
    def input(self) -> str | None:
        """What the network's argument is."""
        return getattr(self.network, "input", None)

    def at(self, progress: Number) -> Augmented:
        return Augmented(
            term=self.term.at(progress),
            coefficient=self.coefficient,
            network=self.network.at(progress),
        )

    def __call__(self, x: Array) -> Array:
        return self._weight(x) * self.term(x) + self.network(x)

    def derivative(self, x: Array) -> Array:
        return self._weight(x) * self.term.derivative(x) + self.network.derivative(x)

    def _weight(self, x: Array) -> Array:
        return non_negative(as_array(self.coefficient, x))[0]
