"""What the gradient explorer shows: the shapes of objectives, packed for a page.

Every number is computed by the objectives themselves in float32, now or when a run was made, and
only looked up in the page. Each array is divided by its largest size and kept in half precision,
so a value is right to 0.05 % of itself, or to 6e-8 of the array's largest value where that is more.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from mirrorpo import objectives
from mirrorpo.discovery import shapes
from mirrorpo.discovery.gradient_map import GradientMap
from mirrorpo.discovery.shapes import Shape
from mirrorpo.objectives import Objective, registry

_EVERY = 6
"""The page keeps one in so many points of a scalar function."""

_ZOO_ONLY_WITH_TERMS = ("closed-form", "closed-form-reference")
"""Registered objectives that are nothing before their terms are given."""


@dataclass(frozen=True, eq=False)
class Choice:
    """An objective that the explorer offers.

    Attributes:
        label: as shown, unique.
        objective: with the hyper-parameters that are not in the grid; or its shape, as a run
            recorded it.
        grid: hyper-parameter -> the values offered; empty for no choice. For a shape it is the
            shape's own grid.
        start: the combination shown first; None for the middle of the grid.
    """

    label: str
    objective: Objective | Shape
    grid: Mapping[str, Sequence[Any]]
    start: Mapping[str, float] | None = None

    @cached_property
    def shape(self) -> Shape:
        """At each point of the grid, computed once."""
        if isinstance(self.objective, Shape):
            return self.objective
        return shapes.measure(self.objective, self.grid)


@cache
def _named(name: str) -> Choice:
    return of(name, registry.make(name, aggregation="mean"))


def zoo() -> list[Choice]:
    """Every named objective with its search grid; log-probs are means, as on the bench."""
    names = [name for name in objectives.available() if name not in _ZOO_ONLY_WITH_TERMS]
    return [_named(name) for name in names]


def of(label: str, objective: Objective) -> Choice:
    """A choice with the objective's own search grid."""
    return Choice(label, objective, dict(objective.search_grid))


def including(
    grid: Mapping[str, Sequence[Any]], values: Mapping[str, Any]
) -> dict[str, Sequence[Any]]:
    """A grid with these values in it, too."""
    given = {name: {value} for name, value in values.items()}
    return {
        name: tuple(sorted({*grid.get(name, ()), *given.get(name, ())}))
        for name in dict.fromkeys((*grid, *given))
    }


def document(choices: Iterable[Choice]) -> dict[str, Any]:
    """The explorer's content, ready for JSON.

    Returns:
        ``grid`` (low, high, points, reference), ``objectives`` (for each choice its points of the
        grid; for each point its moments of training with the places of loss and derivatives in
        ``values``, and its scalar functions) and ``values``: base64 of little-endian halves.
    """
    packer = _Packer()
    entries = [_entry(choice, packer) for choice in choices]
    grid = {
        "low": shapes.LOW,
        "high": shapes.HIGH,
        "points": shapes.POINTS,
        "reference": shapes.REFERENCE,
    }
    return {"grid": grid, "objectives": entries, "values": packer.text()}


def first_map(choice: Choice, point: int) -> GradientMap:
    """The map of one combination of a choice's hyper-parameters, as training begins.

    Args:
        choice: the choice of the explorer.
        point: the combination's number, the last hyper-parameter fastest.
    """
    _, chosen, rejected = choice.shape.points[point].maps[0].astype(np.float64)
    reference = (shapes.REFERENCE, shapes.REFERENCE) if choice.shape.needs_reference else None
    return GradientMap(shapes.axis(), chosen, rejected, 0.0, reference)


def _entry(choice: Choice, packer: _Packer) -> dict[str, Any]:
    shape = choice.shape
    values = shapes.combinations(shape.grid)
    middle = {name: of_name[len(of_name) // 2] for name, of_name in shape.grid.items()}
    wanted = {**middle, **(choice.start or {})}
    return {
        "label": choice.label,
        "formula": shape.formula,
        "paper": shape.paper,
        "needs_reference": shape.needs_reference,
        "fixed": shape.fixed,
        "grid": [{"name": name, "values": list(of_name)} for name, of_name in shape.grid.items()],
        "moments": list(shape.moments),
        "start": values.index(wanted) if wanted in values else values.index(middle),
        "points": [_point(point, packer) for point in shape.points],
    }


def _point(point: shapes.ShapePoint, packer: _Packer) -> dict[str, Any]:
    return {
        "maps": [[packer.add(array) for array in moment] for moment in point.maps],
        "functions": [
            {
                "name": curve.name,
                "seen": [curve.low, curve.high],
                "ends": [float(curve.x[0]), float(curve.x[-1])],
                "moments": list(curve.moments),
                "values": [packer.add(row[::_EVERY]) for row in curve.values],
                "usual": packer.add(curve.usual[::_EVERY]),
            }
            for curve in point.functions
        ],
    }


class _Packer:
    """Arrays behind each other, as halves of their largest size."""

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []
        self._length = 0

    def add(self, array: np.ndarray) -> dict[str, float | int]:
        """Keep an array; say where it begins, how long it is, and what to multiply it by."""
        values = np.asarray(array, np.float64).ravel()
        finite = values[np.isfinite(values)]
        scale = float(np.abs(finite).max()) if finite.size else 1.0
        scale = scale or 1.0
        self._arrays.append((values / scale).astype("<f2"))
        place = {"at": self._length, "length": values.size, "scale": scale}
        self._length += values.size
        return place

    def text(self) -> str:
        joined = np.concatenate(self._arrays) if self._arrays else np.zeros(0, "<f2")
        return base64.b64encode(joined.tobytes()).decode("ascii")
