"""What the gradient explorer shows: objectives on a grid of log-probs, packed for a page.

Every number is computed here, by the objectives themselves in float32, and only looked up in the
page. Each array is divided by its largest size and kept in half precision, so a value is right to
0.05 % of itself, or to 6e-8 of the array's largest value where that is more.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import objectives
from mirrorpo.discovery.gradient_map import GradientMap, depends_on_progress
from mirrorpo.discovery.member_functions import MOMENTS, member_functions
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import MirrorObjective, Objective, PairLogProbs
from mirrorpo.runtime.pytrees import as_pytree

LOW, HIGH, POINTS = -12.0, -0.5, 47
"""The grid of both log-probs, means over time: every 0.25."""

REFERENCE = -4.0
"""The reference policy's log-prob of both sequences."""

_EVERY = 6
"""Of a scalar function's points, the page keeps every so many."""

_ZOO_ONLY_WITH_TERMS = ("closed-form", "closed-form-reference")
"""Registered objectives that are nothing before their terms are given."""


@dataclass(frozen=True)
class Choice:
    """An objective that the explorer offers.

    Attributes:
        label: as shown, unique.
        objective: with the hyper-parameters that are not in the grid.
        grid: hyper-parameter -> the values offered; empty for no choice.
        start: the combination shown first; None for the middle of the grid.
    """

    label: str
    objective: Objective
    grid: Mapping[str, Sequence[Any]]
    start: Mapping[str, float] | None = None


def zoo() -> list[Choice]:
    """Every named objective with its search grid; log-probs are means, as on the bench."""
    names = [name for name in objectives.available() if name not in _ZOO_ONLY_WITH_TERMS]
    return [of(name, objectives.get(name, aggregation="mean")) for name in names]


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
    grid = {"low": LOW, "high": HIGH, "points": POINTS, "reference": REFERENCE}
    return {"grid": grid, "objectives": entries, "values": packer.text()}


def grid_axis() -> np.ndarray:
    """The log-probs of both axes, shape (POINTS,)."""
    return np.linspace(LOW, HIGH, POINTS)


def maps(objective: Objective, progress: float) -> np.ndarray:
    """Loss and its derivatives in the chosen and in the rejected log-prob.

    Each pair is a batch of its own, see `gradient_map.loss_gradients`.

    Returns:
        Shape (3, POINTS, POINTS), float32: axis 1 is the chosen log-prob, axis 2 the rejected.
    """
    chosen, rejected = np.meshgrid(grid_axis(), grid_axis(), indexing="ij")
    fixed = [np.full(chosen.size, value) for value in (REFERENCE, REFERENCE, progress)]
    points = np.stack([chosen.ravel(), rejected.ravel(), *fixed], axis=1)
    loss, slopes = _loss_and_gradient(as_pytree(objective), jnp.asarray(points, jnp.float32))
    stacked = np.concatenate([np.asarray(loss)[None], np.asarray(slopes).T])
    return stacked.reshape(3, POINTS, POINTS)


def first_map(choice: Choice, point: int) -> GradientMap:
    """The map of one combination of a choice's hyper-parameters, as training begins.

    Args:
        choice: of the explorer.
        point: the combination's number, the last hyper-parameter fastest.
    """
    objective = dataclasses.replace(choice.objective, **_combinations(choice.grid)[point])
    _, chosen, rejected = maps(objective, 0.0).astype(np.float64)
    reference = (REFERENCE, REFERENCE) if objective.needs_reference else None
    return GradientMap(grid_axis(), chosen, rejected, 0.0, reference)


@jax.jit
def _loss_and_gradient(objective: Objective, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    def loss(pair: jax.Array, rest: jax.Array) -> jax.Array:
        reference = (rest[0:1], rest[1:2]) if objective.needs_reference else (None, None)
        return objective(PairLogProbs(pair[0:1], pair[1:2], *reference), rest[2])[0]

    return jax.vmap(jax.value_and_grad(loss))(points[:, :2], points[:, 2:])


def _entry(choice: Choice, packer: _Packer) -> dict[str, Any]:
    grid = choice.grid
    values = _combinations(grid)
    middle = {name: of_name[len(of_name) // 2] for name, of_name in grid.items()}
    wanted = {**middle, **(choice.start or {})}
    needs_reference = bool(choice.objective.needs_reference)
    visited = Visited.grid(LOW, HIGH, needs_reference=needs_reference)
    moving = depends_on_progress(choice.objective, visited)
    moments = MOMENTS if moving else MOMENTS[:1]
    paper = getattr(choice.objective, "paper", None)
    return {
        "label": choice.label,
        "formula": _first_line(choice.objective),
        "paper": str(paper) if paper else "",
        "needs_reference": needs_reference,
        "fixed": _fixed_values(choice),
        "grid": [{"name": name, "values": list(of_name)} for name, of_name in grid.items()],
        "moments": list(moments),
        "start": values.index(wanted),
        "points": [
            _point(dataclasses.replace(choice.objective, **point), moments, visited, packer)
            for point in values
        ],
    }


def _combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All points of a grid, the last hyper-parameter fastest."""
    return [
        dict(zip(grid, combination, strict=True))
        for combination in itertools.product(*grid.values())
    ]


def _point(
    objective: Objective, moments: Sequence[float], visited: Visited, packer: _Packer
) -> dict[str, Any]:
    functions = []
    if isinstance(objective, MirrorObjective):
        for curve in member_functions(objective, visited):
            functions.append(
                {
                    "name": curve.name,
                    "seen": [curve.low, curve.high],
                    "ends": [float(curve.x[0]), float(curve.x[-1])],
                    "moments": list(curve.moments),
                    "values": [packer.add(row[::_EVERY]) for row in curve.values],
                    "usual": packer.add(curve.usual[::_EVERY]),
                }
            )
    return {
        "maps": [[packer.add(array) for array in maps(objective, t)] for t in moments],
        "functions": functions,
    }


def _fixed_values(choice: Choice) -> str:
    """Hyper-parameters that the explorer offers no choice of, as text."""
    shown = []
    for field in dataclasses.fields(choice.objective):
        value = getattr(choice.objective, field.name)
        if field.name not in choice.grid and isinstance(value, (int, float, str)):
            text = f"{value:.4g}" if isinstance(value, float) else value
            shown.append(f"{field.name}={text}")
    return ", ".join(shown)


def _first_line(objective: Objective) -> str:
    text = (type(objective).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())


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
