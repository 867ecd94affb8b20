"""What an objective does on one grid of log-probs: loss, derivatives and scalar functions.

A run keeps the shapes of a user's own objectives, because no one who looks at the run may run
their code.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import array_files, files
from mirrorpo.discovery.gradient_map import loss_of_pair
from mirrorpo.discovery.member_functions import MOMENTS, Curve, member_functions
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import MirrorObjective, Objective, user_code
from mirrorpo.runtime.pytrees import as_pytree

LOW, HIGH, POINTS = -12.0, -0.5, 47
"""The grid of both log-probs, means over time: every 0.25."""

REFERENCE = -4.0
"""The reference policy's log-prob of both sequences."""

FOLDER = "objectives"
"""The folder of a run that holds the shapes of a user's own objectives."""

MOST_POINTS = 64
"""Combinations of hyper-parameters that are looked at; of a larger grid the middle alone."""

_FORMAT = "mirrorpo-objective-shape"
_CURVES = ("psi", "inverse potential", "link")
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class ShapePoint:
    """One combination of hyper-parameters.

    Attributes:
        maps: loss, derivative in the chosen and in the rejected log-prob at each moment, shape
            (moments, 3, POINTS, POINTS), float32. The third axis is the chosen log-prob, the last
            one the rejected.
        functions: the functions of a member of the mirror family; else none.
    """

    maps: np.ndarray
    functions: tuple[Curve, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """One objective.

    Attributes:
        formula: the first paragraph of its documentation.
        paper: its source; empty if it has none.
        needs_reference: whether it compares the policy with a reference policy.
        fixed: hyper-parameters that are not in the grid, as ``name=value, ...``.
        grid: hyper-parameter -> its values.
        moments: the moments of training, in [0, 1]; the start alone for one that does not change.
        points: one for each combination of the grid, the last hyper-parameter fastest.
    """

    formula: str
    paper: str
    needs_reference: bool
    fixed: str
    grid: Mapping[str, tuple[Any, ...]]
    moments: tuple[float, ...]
    points: tuple[ShapePoint, ...]


def axis() -> np.ndarray:
    """The log-probs of both axes, shape (POINTS,)."""
    return np.linspace(LOW, HIGH, POINTS)


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All points of a grid, the last hyper-parameter fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def measure(objective: Objective, grid: Mapping[str, Sequence[Any]]) -> Shape:
    """The shape of an objective at each point of a grid of its hyper-parameters.

    A grid of more than `MOST_POINTS` becomes its middle.
    """
    if math.prod(len(values) for values in grid.values()) > MOST_POINTS:
        grid = {name: (values[len(values) // 2],) for name, values in grid.items()}
    visited = Visited.grid(LOW, HIGH, needs_reference=objective.needs_reference)
    moments = MOMENTS if _is_moving(objective) else MOMENTS[:1]
    paper = getattr(objective, "paper", None)
    shape = Shape(
        formula=_first_paragraph(objective),
        paper=str(paper) if paper else "",
        needs_reference=bool(objective.needs_reference),
        fixed=_fixed_values(objective, grid),
        grid={name: tuple(values) for name, values in grid.items()},
        moments=moments,
        points=tuple(
            _point(dataclasses.replace(objective, **values), moments, visited)
            for values in combinations(grid)
        ),
    )
    # A page measures dozens of objectives, each with a program of its own: none is needed again.
    _loss_and_gradient.clear_cache()
    return shape


def maps(objective: Objective, progress: float) -> np.ndarray:
    """Loss and its derivatives in the chosen and in the rejected log-prob.

    Each pair is a batch of its own, see `gradient_map.loss_gradients`.

    Returns:
        Shape (3, POINTS, POINTS), float32: axis 1 is the chosen log-prob, axis 2 the rejected.
    """
    chosen, rejected = np.meshgrid(axis(), axis(), indexing="ij")
    fixed = [np.full(chosen.size, value) for value in (REFERENCE, REFERENCE, progress)]
    points = np.stack([chosen.ravel(), rejected.ravel(), *fixed], axis=1)
    loss, slopes = _loss_and_gradient(as_pytree(objective), jnp.asarray(points, jnp.float32))
    stacked = np.concatenate([np.asarray(loss)[None], np.asarray(slopes).T])
    return stacked.reshape(3, POINTS, POINTS)


def remember(run: Path, text: str, objective: Objective, grid: Mapping[str, Sequence[Any]]) -> None:
    """Keep the shape of a user's own objective in a run folder; of any other keep nothing.

    Args:
        run: the folder.
        text: the text that names the objective in the run.
        objective: the objective of that text.
        grid: the grid of the hyper-parameters that the run may choose from.
    """
    path = run / FOLDER / f"{files.file_name(text)}.safetensors"
    if user_code.is_users_own(objective) and not path.is_file():
        save(path, text, measure(objective, grid))


def recall(run: Path) -> dict[str, Shape]:
    """The shapes in a run folder, by the text that names the objective; none of a damaged file."""
    found = {}
    for path in sorted((run / FOLDER).glob("*.safetensors"))[:MOST_POINTS]:
        try:
            text, shape = load(path)
        except (ValueError, OSError):
            continue
        found[text] = shape
    return found


def save(path: Path, text: str, shape: Shape) -> None:
    """Write a shape, and the text that names its objective."""
    arrays, functions = {}, []
    for number, point in enumerate(shape.points):
        arrays[f"{number}.maps"] = point.maps.astype(np.float32)
        for curve in point.functions:
            for name in ("x", "values", "usual"):
                arrays[f"{number}.{curve.name}.{name}"] = getattr(curve, name)
        functions.append([(c.name, c.low, c.high, c.moments) for c in point.functions])
    named = ("formula", "paper", "needs_reference", "fixed", "grid", "moments")
    card = {name: getattr(shape, name) for name in named}
    array_files.save_arrays(
        path, arrays, {"format": _FORMAT, "text": text, **card, "points": functions}
    )


def load(path: Path) -> tuple[str, Shape]:
    """The text that names an objective, and its shape.

    Raises:
        ValueError: a file that `save` did not write.
    """
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is larger than any shape of an objective.")
    card = array_files.load_card(path, _FORMAT, "the shape of an objective")
    arrays = array_files.load_arrays(path, "the shape of an objective")
    try:
        moments = tuple(float(moment) for moment in card["moments"])
        points = tuple(
            ShapePoint(
                _array(arrays, f"{number}.maps", (len(moments), 3, POINTS, POINTS)),
                tuple(_curve(arrays, number, *given) for given in functions),
            )
            for number, functions in enumerate(card["points"])
        )
        grid = {str(name): tuple(values) for name, values in card["grid"].items()}
        if len(points) != len(combinations(grid)) or not moments:
            raise ValueError("points and grid do not fit")
        return str(card["text"]), Shape(
            str(card["formula"]),
            str(card["paper"]),
            bool(card["needs_reference"]),
            str(card["fixed"]),
            grid,
            moments,
            points,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is a damaged shape of an objective: {error}.") from None


def _of_points(objective: Objective, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    loss = functools.partial(loss_of_pair, objective)
    return jax.vmap(jax.value_and_grad(loss))(points[:, :2], points[:, 2:])


_loss_and_gradient: Any = jax.jit(_of_points)
"""`_of_points`, compiled. Any: the type that JAX states for it does not have its clear_cache."""


def _is_moving(objective: Objective) -> bool:
    """Whether the gradient changes during training."""
    found = np.nan_to_num([maps(objective, moment)[1:] for moment in MOMENTS])
    return bool(np.abs(np.diff(found, axis=0)).max() > 1e-5 * np.abs(found).max())


def _point(objective: Objective, moments: Iterable[float], visited: Visited) -> ShapePoint:
    functions: tuple[Curve, ...] = ()
    if isinstance(objective, MirrorObjective):
        functions = member_functions(objective, visited)
    return ShapePoint(np.stack([maps(objective, moment) for moment in moments]), functions)


def _fixed_values(objective: Objective, grid: Mapping[str, Any]) -> str:
    shown = []
    for field in dataclasses.fields(objective):
        value = getattr(objective, field.name)
        if field.name not in grid and isinstance(value, (int, float, str)):
            text = f"{value:.4g}" if isinstance(value, float) else value
            shown.append(f"{field.name}={text}")
    return ", ".join(shown)


def _first_paragraph(objective: Objective) -> str:
    text = (type(objective).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())


def _curve(
    arrays: Mapping[str, np.ndarray],
    number: int,
    name: str,
    low: float,
    high: float,
    moments: Sequence[float],
) -> Curve:
    if name not in _CURVES:
        raise ValueError(f"unknown function {name!r:.40}")
    x = arrays[f"{number}.{name}.x"]
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"the function {name} has no points")
    return Curve(
        name,
        float(low),
        float(high),
        x,
        tuple(float(moment) for moment in moments),
        _array(arrays, f"{number}.{name}.values", (len(moments), len(x))),
        _array(arrays, f"{number}.{name}.usual", x.shape),
    )


def _array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    found = arrays[name]
    if found.shape != shape or found.dtype.kind != "f":
        raise ValueError(f"{name} has shape {found.shape}, but must have {shape}")
    return found
