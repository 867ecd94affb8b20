"""Monotone networks: the searched form of psi, the inverse potential and the link (section 3.1).

A network is increasing because it is a sum of increasing terms with non-negative coefficients.
Non-negative numbers are stored as unconstrained ones and mapped by `non_negative`, a softplus with
a sharp bend: almost ``max(raw, 0)``, so that a term can be absent (to 3e-10, at `ABSENT`) and still
answer to a perturbation of a few hundredths, and a term of weight 1 is exactly 1. A plain softplus
cannot do both: where it is 1e-9, a perturbation of 0.03 changes it by 3e-11.

What a perturbation of N(0, 0.03^2) does to a network at its start, constants aside: its rise over
the working range varies by 4 to 8 per cent (one standard deviation) around a mean that is 9 to 19
per cent more, because absent terms can only appear; of a probability near 1e-6 the extra terms
alone answer, by 3 per cent. Set ``low`` and ``high`` to the range at hand: a margin of 3 in units
of the default range moves by four times as much.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, Number, as_array, namespace
from ..component import array, choice, is_array, number
from ..numerics import log_sigmoid
from .activations import ACTIVATIONS
from .links import LogSigmoid
from .scalars import Log, Logit, ScalarFunction

COPIES = 14
"""Hidden units of each activation."""

SHAPE = (len(ACTIVATIONS), COPIES)
"""The hidden layer's shape: 9 activations by 14 units, 126 in all."""

SHARPNESS = 1000.0
"""How sharp `non_negative` bends, in units of its argument."""

ABSENT = -0.015
"""The raw value of a term that is not there: half the search's sigma of 0.03 below the bend."""

OUTPUT_SCALE = 0.25
"""The weight of a hidden unit whose raw output weight is 1: damps the sum of 126 units."""

RANGES = {"probability": (-1.0, 1.0), "log-prob": (-14.0, 0.0), "margin": (-1.0, 1.0)}
"""The default working range of each kind of input; (-1, 1) leaves the input as it is."""

_EXTRA_TERMS: dict[str, tuple[ScalarFunction, ...]] = {
    "log": (Log(),),
    "log+logit": (Log(), Logit()),
    "log-sigmoid": (LogSigmoid(),),
}
_SPREAD = np.broadcast_to(np.linspace(-1.0, 1.0, COPIES, dtype=np.float32), SHAPE)


def non_negative(raw: Array) -> Array:
    """``softplus(SHARPNESS raw) / SHARPNESS``: increasing, positive, near ``max(raw, 0)``."""
    return -log_sigmoid(-SHARPNESS * raw) / SHARPNESS


class ArrayFunction(ScalarFunction):
    """A scalar function with array fields: equal and hashed by their values."""

    def _values(self) -> tuple[Any, ...]:
        values = [(field, getattr(self, field.name)) for field in fields(self)]
        return tuple(
            (np.shape(value), np.asarray(value).tobytes()) if is_array(field) else value
            for field, value in values
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))


@dataclass(frozen=True, kw_only=True, eq=False)
class MonotoneNetwork(ArrayFunction):
    """One hidden layer of 126 units and the paper's extra terms; increasing in its argument.

    With ``u`` the hidden layer's input, the value is

        sum_i OUTPUT_SCALE w(output_i) act_i(w(kernel_i) u + bias_i) + sum_j w(coefficients_j) e_j

    where w is `non_negative`, act the `activations` and e the extra terms. The constructors `psi`,
    `inverse_potential` and `link` start at a known member of each class, to 1e-6 over the working
    range. For every parameter vector the value is strictly increasing in exact arithmetic, and
    value and gradients are finite float32 for every log-prob and every margin up to 1e6 in size.

    Fields:
        kernel, bias, output: (9, 14), a row for each activation; kernel and output are raw.
        coefficients: one raw weight for each extra term.
        centre, width: ``u = (value - centre) / width``.
        input: what the function's argument is, and what the hidden layer sees of it. "margin": a
            link's margin, as it is. "probability": a log-prob, and its exponential, at most 1.
            "log-prob": a log-prob, as it is; not the paper's, but a function of a probability of
            order 1e-6 can hardly bend.
        extra: the extra terms: "log", "log+logit" (each of the probability), or "log-sigmoid" (of
            the margin).
    """

    name: ClassVar[str] = "monotone-network"

    kernel: Array = array(SHAPE, np.ones(SHAPE, np.float32))
    bias: Array = array(SHAPE, _SPREAD)
    output: Array = array(SHAPE, np.full(SHAPE, ABSENT, np.float32))
    coefficients: Array = array((None,), np.ones(1, np.float32))
    centre: Number = number(-7.0)
    width: Number = number(7.0, above=0)
    input: str = choice("log-prob", ("probability", "log-prob", "margin"))
    extra: str = choice("log", tuple(_EXTRA_TERMS))

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.input == "margin") != (self.extra == "log-sigmoid"):
            raise ValueError(
                f"{self.name}: input {self.input!r} does not go with the extra terms "
                f"{self.extra!r}: a margin has 'log-sigmoid', a probability the others"
            )
        terms = len(_EXTRA_TERMS[self.extra])
        if isinstance(self.coefficients, np.ndarray) and self.coefficients.shape[-1] != terms:
            raise ValueError(
                f"{self.name}: {self.extra!r} needs {terms} coefficients, got shape "
                f"{self.coefficients.shape}"
            )

    @classmethod
    def psi(
        cls, *, input: str = "log-prob", low: float | None = None, high: float | None = None
    ) -> MonotoneNetwork:
        """A network for psi that starts as ``log p``, SFT's.

        Args:
            input: "probability" or "log-prob", see the class.
            low: low end of the working range of what the hidden layer sees; default `RANGES`.
            high: its high end.
        """
        return cls(input=input, extra="log", **_scaling(input, low, high))

    @classmethod
    def inverse_potential(
        cls,
        start: str = "log",
        *,
        input: str = "log-prob",
        low: float | None = None,
        high: float | None = None,
    ) -> MonotoneNetwork:
        """A network for ``phi^-1`` that starts as ``log p`` (CPO, DPO) or ``logit p`` (ORPO).

        Args:
            start: "log" or "logit".
            input: as for `psi`.
            low: as for `psi`.
            high: as for `psi`.

        Raises:
            ValueError: if ``start`` is neither.
        """
        starts = {"log": [1.0, ABSENT], "logit": [ABSENT, 1.0]}
        coefficients = _pick(start, starts)
        return cls(
            coefficients=np.asarray(coefficients),
            input=input,
            extra="log+logit",
            **_scaling(input, low, high),
        )

    @classmethod
    def link(
        cls, start: str = "log-sigmoid", *, low: float | None = None, high: float | None = None
    ) -> MonotoneNetwork:
        """A network for the link that starts as ``log sigmoid(x)`` or as the identity.

        Args:
            start: "log-sigmoid" or "identity".
            low: low end of the working range of the margin; default -1.
            high: its high end; default 1.

        Raises:
            ValueError: if ``start`` is neither.
        """
        sloped = _pick(start, {"log-sigmoid": False, "identity": True})
        network = cls(
            coefficients=np.asarray([ABSENT if sloped else 1.0]),
            input="margin",
            extra="log-sigmoid",
            **_scaling("margin", low, high),
        )
        return network.with_line(1.0) if sloped else network

    def with_line(self, slope: float) -> MonotoneNetwork:
        """This network with its linear units set to ``slope`` times the hidden layer's value."""
        bias, output = np.array(self.bias), np.array(self.output)
        bias[0] = _SPREAD[0] + self.centre / self.width
        output[0] = slope * self.width / (COPIES * OUTPUT_SCALE)
        return replace(self, bias=bias, output=output)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x, self.kernel)
        hidden, output, coefficients = self._hidden(x), *self._weights(x)
        total = 0.0
        for index, term in enumerate(_EXTRA_TERMS[self.extra]):
            total = total + coefficients[index] * term(x)
        # Term by term in a fixed order: rounding then keeps the sum non-decreasing.
        for row, activation in enumerate(ACTIVATIONS):
            total = total + xp.sum(output[row] * activation(hidden[..., row, :]), axis=-1)
        return total

    def derivative(self, x: Array) -> Array:
        xp = namespace(x, self.kernel)
        hidden, output, coefficients = self._hidden(x), *self._weights(x)
        kernel = non_negative(as_array(self.kernel, x)) / self.width
        total = 0.0
        for row, activation in enumerate(ACTIVATIONS):
            slopes = output[row] * kernel[row] * activation.derivative(hidden[..., row, :])
            total = total + xp.sum(slopes, axis=-1)
        if self.input == "probability":
            total = total * xp.where(x <= 0, xp.exp(_at_most_zero(x)), xp.zeros_like(x))
        for index, term in enumerate(_EXTRA_TERMS[self.extra]):
            total = total + coefficients[index] * term.derivative(x)
        return total

    def kinks(self) -> np.ndarray:
        """Where the derivatives jump, in terms of the argument, sorted; float64."""
        kernel = non_negative(np.asarray(self.kernel, np.float64))
        bias = np.asarray(self.bias, np.float64)
        places = [
            (kink - bias[row]) / np.maximum(kernel[row], 1e-30) * self.width + self.centre
            for row, activation in enumerate(ACTIVATIONS)
            for kink in activation.kinks
        ]
        found = np.concatenate([np.ravel(place) for place in places])
        if self.input == "probability":
            found = np.log(found[(found > 0) & (found < 1)])
        return np.sort(found)

    def _weights(self, x: Array) -> tuple[Array, Array]:
        output = OUTPUT_SCALE * non_negative(as_array(self.output, x))
        return output, non_negative(as_array(self.coefficients, x))

    def _hidden(self, x: Array) -> Array:
        """Pre-activations, of ``x``'s shape and `SHAPE`."""
        seen = namespace(x).exp(_at_most_zero(x)) if self.input == "probability" else x
        scaled = ((seen - self.centre) / self.width)[..., None, None]
        kernel = non_negative(as_array(self.kernel, x))
        return kernel * scaled + as_array(self.bias, x)


def _at_most_zero(x: Array) -> Array:
    xp = namespace(x)
    return xp.where(x <= 0, x, xp.zeros_like(x))


def _scaling(input: str, low: float | None, high: float | None) -> dict[str, float]:
    default = RANGES.get(input, (-1.0, 1.0))
    low, high = default[0] if low is None else low, default[1] if high is None else high
    if not low < high:
        raise ValueError(f"the working range is empty: low {low!r}, high {high!r}")
    return {"centre": 0.5 * (low + high), "width": 0.5 * (high - low)}


def _pick(start: str, starts: dict[str, Any]) -> Any:
    if start not in starts:
        raise ValueError(f"start is {start!r}, but must be one of: {', '.join(starts)}")
    return starts[start]
