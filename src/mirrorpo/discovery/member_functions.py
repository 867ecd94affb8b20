"""The scalar functions of a member of the mirror family, over the range that was visited."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mirrorpo.discovery.gradient_map import require_reference
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import Log, LogSigmoid, MirrorObjective, ScalarFunction, Terms, Zero
from mirrorpo.objectives.base import Batch

MOMENTS = (0.0, 0.5, 1.0)
"""Progress at which functions are looked at: start, middle and end of training."""

_POINTS = 601
_BEYOND = 0.5


@dataclass(frozen=True, eq=False)
class Curve:
    """One scalar function, all arrays float64.

    Fields:
        name: "psi", "inverse potential" or "link".
        low, high: the visited range of its argument: log-probs, log-ratios to the reference, or
            for a link scaled margins, ``beta (Phi(chosen) - Phi(rejected)) - gamma``.
        x: (n,), arguments: that range and half as far again on both sides.
        moments: progress of training at which the function is looked at; the start alone if it
            does not change.
        values: (number of moments, n).
        usual: (n,), the function that is usual in its place, log or log sigmoid, shifted to agree
            with the first of ``values`` in the middle of the visited range.
    """

    name: str
    low: float
    high: float
    x: np.ndarray
    moments: tuple[float, ...]
    values: np.ndarray
    usual: np.ndarray

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Arguments (m,) in the visited range, and slopes (number of moments, m) there."""
        inside = (self.x >= self.low) & (self.x <= self.high)
        return self.x[inside], np.gradient(self.values, self.x, axis=1)[:, inside]

    def extremes(self, largest: bool) -> list[tuple[float, float, float]]:
        """At each moment: it, where the slope is largest or smallest, and that slope."""
        x, slopes = self.slopes()
        places = slopes.argmax(axis=1) if largest else slopes.argmin(axis=1)
        return [
            (moment, float(x[place]), float(row[place]))
            for moment, row, place in zip(self.moments, slopes, places, strict=True)
        ]


def member_functions(objective: MirrorObjective, visited: Visited) -> tuple[Curve, ...]:
    """psi, the inverse potential and the link: those of them that the objective has.

    Raises:
        ValueError: if a reference is needed and was not visited.
    """
    require_reference(objective, visited)
    return tuple(_curves(objective, visited))


def _curves(objective: MirrorObjective, visited: Visited) -> Iterator[Curve]:
    batch = _batch(objective, visited)
    all_terms = [objective.terms(batch, np.asarray(progress)) for progress in MOMENTS]
    first = all_terms[0]
    if first.sft_weight is not None and not isinstance(first.psi, Zero):
        functions = [_at(terms.psi, t) for terms, t in zip(all_terms, MOMENTS, strict=True)]
        yield _curve("psi", functions, batch.chosen, Log(), probability=True)
    if first.po_weight is None:
        return
    potentials = [
        _at(terms.inverse_potential, t) for terms, t in zip(all_terms, MOMENTS, strict=True)
    ]
    if objective.reference == "ratio":
        given = [batch.chosen - batch.reference_chosen, batch.rejected - batch.reference_rejected]
    else:
        given = [batch.chosen, batch.rejected]
    if objective.reference == "difference":
        given += [batch.reference_chosen, batch.reference_rejected]
    seen = np.concatenate(given)
    probability = objective.reference != "ratio"
    yield _curve("inverse potential", potentials, seen, Log(), probability)
    margins = [
        _margins(objective, terms, phi, batch)
        for terms, phi in zip(all_terms, potentials, strict=True)
    ]
    links = [_at(terms.link, t) for terms, t in zip(all_terms, MOMENTS, strict=True)]
    yield _curve("link", links, np.concatenate(margins), LogSigmoid(), probability=False)


def _batch(objective: MirrorObjective, visited: Visited) -> Batch:
    chosen, rejected, reference_chosen, reference_rejected, _ = visited.points.T
    if not objective.needs_reference:
        return Batch(chosen, rejected, None, None, 1.0, 1.0)
    return Batch(chosen, rejected, reference_chosen, reference_rejected, 1.0, 1.0)


def _at(function: ScalarFunction, progress: float) -> ScalarFunction:
    return function.at(np.asarray(progress))


def _margins(
    objective: MirrorObjective, terms: Terms, phi: ScalarFunction, batch: Batch
) -> np.ndarray:
    """(n,): what the link is given at each pair."""
    chosen, rejected = (
        objective._potential(phi, log_prob, reference)
        for log_prob, reference in (
            (batch.chosen, batch.reference_chosen),
            (batch.rejected, batch.reference_rejected),
        )
    )
    return np.asarray(terms.beta * (chosen - rejected) - terms.gamma, np.float64)


def _curve(
    name: str,
    functions: list[ScalarFunction],
    seen: np.ndarray,
    usual: ScalarFunction,
    probability: bool,
) -> Curve:
    low, high = float(seen.min()), float(seen.max())
    room = _BEYOND * max(high - low, 1e-3)
    stop = high + room
    if probability and high < 0:
        stop = min(stop, 0.0)  # no log-prob lies beyond 0
    x = np.linspace(low - room, stop, _POINTS)
    values = np.stack([np.asarray(function(x), np.float64) for function in functions])
    middle = 0.5 * (low + high)
    compared = np.asarray(usual(x), np.float64)
    # A new array: the logarithm of a probability is its argument itself.
    compared = compared + np.interp(middle, x, values[0]) - np.interp(middle, x, compared)
    moments: tuple[float, ...] = MOMENTS
    if np.abs(np.diff(values, axis=0)).max() <= 1e-6 * np.ptp(values):
        moments, values = MOMENTS[:1], values[:1]
    return Curve(name, low, high, x, moments, values, compared)
