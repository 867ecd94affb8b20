"""Objectives in closed form: a weighted sum of terms that are stated by name, to read and to train.

    loss = -sum_i coefficients_i term_i(x, y, t)

with x and y the aggregated log-probs of chosen and rejected and t training's progress. A term's
name is ``BASE``, ``t BASE`` or ``t^2 BASE``, and a base one of `SHAPES` around a variable v:

    x, y                    the two log-probs
    d                       the margin ``x - y``
    o                       the difference of log-odds, ``logit x - logit y``

or, where brackets or bars are, around ``k v - c`` with numbers k and c, as in ``log sigmoid(2 d)``,
``min(d - 1, 0)`` or ``t e^(-0.5 d)``. The paper's own closed forms (appendix I.2) are of this kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .. import numerics
from ..arrays import Array, Number, as_array, detach, namespace
from ..base import Batch, Objective, Paper
from ..component import array, number
from ..functions.scalars import Logit
from .mirror import mirror_paper

SEPARATOR = "; "
"""Between the names of `ClosedForm.terms`."""

VARIABLES = ("x", "y", "d", "o")

_TIMES = ("", "t ", "t^2 ")
_NUMBER = r"\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_ARGUMENT = rf"(-|-?{_NUMBER} )?([{''.join(VARIABLES)}])(?: ([-+]) ({_NUMBER}))?"


@dataclass(frozen=True)
class TermFunction:
    """A function of one argument.

    Fields:
        value: the function, finite for every argument.
        slope: its derivative, where it runs away from the origin of a margin faster than a line.
        plain: whether its argument is a variable alone, so that names have one reading.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array] | None = None
    plain: bool = False


def _slope_of_exp(a: Array) -> Array:
    xp = namespace(a)
    return xp.exp(xp.clip(a, max=numerics.LARGEST_EXPONENT))


SHAPES: dict[str, TermFunction] = {
    "{}": TermFunction(lambda a: a, plain=True),
    "{}^2": TermFunction(lambda a: a * a, lambda a: 2.0 * a, plain=True),
    "{}^3": TermFunction(lambda a: a * a * a, lambda a: 3.0 * a * a, plain=True),
    "|{}|": TermFunction(lambda a: namespace(a).abs(a)),
    "({})+": TermFunction(numerics.relu),
    "({})+^2": TermFunction(lambda a: numerics.relu(a) ** 2, lambda a: 2.0 * numerics.relu(a)),
    "min({}, 0)": TermFunction(lambda a: -numerics.relu(-a)),
    "e^({})": TermFunction(numerics.exp, _slope_of_exp),
    "log(1-e^{})": TermFunction(numerics.log1mexp, plain=True),
    "log sigmoid({})": TermFunction(numerics.log_sigmoid),
    "sigmoid({})": TermFunction(numerics.sigmoid),
}
"""The basis, by name with ``{}`` for the argument. ``(a)+`` is ``max(a, 0)``."""

_PATTERNS = {
    shape: re.compile(
        re.escape(shape).replace(
            re.escape("{}"), f"()([{''.join(VARIABLES)}])()()" if SHAPES[shape].plain else _ARGUMENT
        )
    )
    for shape in SHAPES
}


@dataclass(frozen=True)
class Term:
    """One term: ``t^time SHAPES[shape](scale v - shift)`` with v the ``variable``."""

    shape: str
    variable: str
    scale: float = 1.0
    shift: float = 0.0
    time: int = 0

    @classmethod
    def parse(cls, name: str) -> Term:
        """The term called ``name``.

        Raises:
            ValueError: if the basis has no such term.
        """
        for time in (2, 1, 0):
            base = name.removeprefix(_TIMES[time])
            if time and base == name:
                continue
            for shape, pattern in _PATTERNS.items():
                if found := pattern.fullmatch(base):
                    scale, variable, sign, shift = found.groups()
                    subtracted = float(shift or 0.0) * (-1.0 if sign == "+" else 1.0)
                    factor = {None: 1.0, "": 1.0, "-": -1.0}.get(scale) or float(scale)
                    return cls(shape, variable, factor, subtracted, time)
        raise ValueError(f"no term is called {name!r}")

    def __str__(self) -> str:
        scale = {1.0: "", -1.0: "-"}.get(self.scale, f"{self.scale:g} ")
        sign = "-" if self.shift > 0 else "+"
        shift = f" {sign} {abs(self.shift):g}" if self.shift else ""
        return _TIMES[self.time] + self.shape.replace("{}", f"{scale}{self.variable}{shift}")

    def __call__(self, x: Array, y: Array, progress: Number, low: Number, high: Number) -> Array:
        """The term's value, of ``x``'s shape.

        A margin beyond ``low`` or ``high`` is taken along the tangent there, if the shape would run
        away.
        """
        v = _variable(self.variable, x, y)
        shape = SHAPES[self.shape]
        if shape.slope is None or self.variable in "xy":
            value = shape.value(self.scale * v - self.shift)
        else:
            inside = namespace(v, low, high).clip(v, min=low, max=high)
            # As in Extended: the slope varies only inside, where its factor is 0.
            slope = self.scale * shape.slope(self.scale * detach(inside) - self.shift)
            value = shape.value(self.scale * inside - self.shift) + slope * (v - inside)
        return value * progress**self.time if self.time else value


def _variable(name: str, x: Array, y: Array) -> Array:
    if name == "o":
        return Logit()(x) - Logit()(y)
    return {"x": x, "y": y, "d": x - y}[name]


class _Sums:
    """The values of `ClosedForm.terms`, as the allowed choices of a field."""

    def __contains__(self, text: Any) -> bool:
        try:
            return bool([Term.parse(name) for name in text.split(SEPARATOR)])
        except (AttributeError, ValueError):
            return False

    def __iter__(self) -> Iterator[str]:
        yield from VARIABLES
        for shape, found in list(SHAPES.items())[1:]:
            yield shape.replace("{}", "v" if found.plain else "k v - c")


def _sum(default: str) -> Any:
    """A static field that holds the names of terms, joined by `SEPARATOR`."""
    return field(default=default, metadata={"static": True, "choices": _Sums()})


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedForm(Objective):
    """A weighted sum of named terms of the two log-probs and of progress; SFT by default.

    Value and gradients are finite for every float32 log-prob and sane coefficients. Coefficients
    are leaves, so they may be traced, batched, differentiated and searched.

    Fields:
        terms: their names, as one string with `SEPARATOR` between them; a tuple of names is
            joined.
        coefficients: (number of terms,).
        low, high: range of the margins d and o in which the powers and exponentials hold; beyond,
            they continue along their tangents.

    Raises:
        ValueError: a name that the basis lacks, another number of coefficients than of terms, or
            ``low`` not below ``high``.
    """

    name: ClassVar[str] = "closed-form"
    paper: ClassVar[Paper] = mirror_paper("appendix I.2, the kind of its two forms")

    terms: str = _sum("x")
    coefficients: Array = array((None,), np.ones(1, np.float32))
    low: Number = number(-10.0)
    high: Number = number(10.0)

    def __post_init__(self) -> None:
        if isinstance(self.terms, (tuple, list)):
            object.__setattr__(self, "terms", SEPARATOR.join(map(str, self.terms)))
        super().__post_init__()
        given = self.coefficients
        if isinstance(given, np.ndarray) and given.shape[-1] != len(self.parsed):
            raise ValueError(
                f"{self.name}: {len(self.parsed)} terms ({self.terms}) need as many coefficients, "
                f"got shape {given.shape}"
            )
        ends = (self.low, self.high)
        if all(isinstance(end, (int, float)) for end in ends) and not self.low < self.high:
            raise ValueError(f"{self.name}: low is {self.low!r}, but must be below {self.high!r}")

    @property
    def parsed(self) -> tuple[Term, ...]:
        """The terms, in the order of their coefficients."""
        return tuple(Term.parse(name) for name in self.terms.split(SEPARATOR))

    def loss(self, batch: Batch, progress: Array) -> Array:
        x, y = self._log_probs(batch)
        coefficients = as_array(self.coefficients, x)
        total = namespace(x, y).zeros_like(x)
        for index, term in enumerate(self.parsed):
            total = total + coefficients[index] * term(x, y, progress, self.low, self.high)
        return -total

    def _log_probs(self, batch: Batch) -> tuple[Array, Array]:
        return batch.chosen, batch.rejected

    def _key(self) -> tuple[Any, ...]:
        learned = np.asarray(self.coefficients)
        values = (self.aggregation, self.terms, self.low, self.high)
        return (type(self), *values, learned.shape, learned.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClosedForm) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedFormReference(ClosedForm):
    """`ClosedForm` of the log-ratios to a reference policy; DPO by default.

    x and y are ``log pi - log pi_ref``. That is all that an objective with the potential
    ``phi = exp``, whose inverse is the logarithm, sees of the reference; of one with another
    potential such a sum is an approximation. The terms with ``o`` and ``log(1-e^v)`` are of
    probabilities, and mean nothing for a ratio.
    """

    name: ClassVar[str] = "closed-form-reference"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True

    terms: str = _sum("log sigmoid(0.1 d)")

    def _log_probs(self, batch: Batch) -> tuple[Array, Array]:
        return batch.chosen - batch.reference_chosen, batch.rejected - batch.reference_rejected
