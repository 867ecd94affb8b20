"""Networks that see training's progress: objectives and schedules that change while they train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np

from .. import numerics
from ..arrays import Array, Number, as_array, namespace
from ..component import array, function
from .networks import ABSENT, SHAPE, ArrayFunction, MonotoneNetwork
from .scalars import ScalarFunction


@dataclass(frozen=True, kw_only=True, eq=False)
class TimedNetwork(ArrayFunction):
    """A `MonotoneNetwork` that changes with progress t: increasing in x at every t, free in t.

    A hidden unit's bias becomes ``bias + t drift[0] + t^2 drift[1]`` and an extra term's raw weight
    ``coefficients + t coefficient_drift``. With no drift, its start, it is the network. Objectives
    evaluate it `at` their progress; called by itself it is the network at the start of training.
    """

    name: ClassVar[str] = "timed-network"

    network: ScalarFunction = function(MonotoneNetwork())
    drift: Array = array((2, *SHAPE), np.zeros((2, *SHAPE), np.float32))
    coefficient_drift: Array = array((None,), np.zeros(1, np.float32))

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.network, ScalarFunction) and not isinstance(
            self.network, MonotoneNetwork
        ):
            raise ValueError(f"{self.name}: network is {self.network.name!r}, not monotone-network")
        sizes = [
            value.shape[-1]
            for value in (self.coefficient_drift, getattr(self.network, "coefficients", None))
            if isinstance(value, np.ndarray)
        ]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"{self.name}: coefficient_drift has {sizes[0]} values, but the network has "
                f"{sizes[1]} extra terms"
            )

    @classmethod
    def of(cls, network: MonotoneNetwork) -> TimedNetwork:
        """``network`` without drift, ready to be searched."""
        return cls(network=network, coefficient_drift=np.zeros_like(network.coefficients))

    @property
    def input(self) -> str | None:
        """What the network's argument is."""
        return getattr(self.network, "input", None)

    def at(self, progress: Number) -> MonotoneNetwork:
        network = cast(MonotoneNetwork, self.network)
        bias, coefficients, drift, coefficient_drift = (
            as_array(value, progress) if hasattr(progress, "dtype") else value
            for value in (network.bias, network.coefficients, self.drift, self.coefficient_drift)
        )
        return replace(
            network,
            bias=bias + progress * (drift[0] + progress * drift[1]),
            coefficients=coefficients + progress * coefficient_drift,
        )

    def __call__(self, x: Array) -> Array:
        return self.network(x)

    def derivative(self, x: Array) -> Array:
        return self.network.derivative(x)


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedSchedule(ArrayFunction):
    """``sigmoid(offset + network(t))``: increasing from any value to any other, both in [0, 1].

    The network sees t as it would see a probability, so that its logit term alone is the linear
    schedule and its linear units alone make the sigmoid schedule.
    """

    name: ClassVar[str] = "learned-schedule"

    network: ScalarFunction = function(
        MonotoneNetwork.inverse_potential("logit", input="probability")
    )
    offset: Array = array((1,), np.zeros(1, np.float32))

    @classmethod
    def sigmoid(cls, steepness: float = 20.0, centre: float = 0.75) -> LearnedSchedule:
        """A schedule that starts as `Sigmoid` (the default, `LearnedSchedule()`, as `Linear`)."""
        flat = MonotoneNetwork.inverse_potential(input="probability")
        network = replace(flat, coefficients=np.full(2, ABSENT)).with_line(steepness)
        return cls(network=network, offset=np.asarray([-steepness * centre]))

    def __call__(self, x: Array) -> Array:
        xp = namespace(x)
        log_time = xp.log(xp.clip(x, min=numerics.SMALLEST_GAP, max=1.0))
        return numerics.sigmoid(as_array(self.offset, x)[0] + self.network(log_time))
