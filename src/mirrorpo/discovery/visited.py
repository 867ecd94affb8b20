"""The log-probs that training has visited: where an objective's shape matters at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

COLUMNS = ("chosen", "rejected", "reference_chosen", "reference_rejected", "progress")

LOW, HIGH = -14.0, -6.0
"""The stand-in's range: log-probs of an 8-dimensional Gaussian policy, means over time."""

_DIGITS = 6
_CHOSEN, _REJECTED, _REFERENCE, _PROGRESS = 0, 1, slice(2, 4), 4


@dataclass(frozen=True, eq=False)
class Visited:
    """Pairs as an objective saw them during training, or a stand-in for them.

    Fields:
        points: (n, 5) float64, a copy, read-only. Columns, see `COLUMNS`: the log-probs of the
            chosen and of the rejected sequence under the policy, then both under the reference
            policy, aggregated as the objective's ``aggregation`` says (on the control bench means
            over time of sums over action dimensions); and training's progress, in [0, 1]. The
            reference's columns are NaN throughout for an objective without one.
        measured: whether the points come from training; False for `grid`.

    Raises:
        ValueError: another shape, no points, values that are not finite, reference log-probs for
            some of the pairs only, or progress outside [0, 1].
    """

    points: np.ndarray
    measured: bool = True

    def __post_init__(self) -> None:
        try:
            points = np.array(self.points, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise ValueError("Visited: points must be an array of numbers.") from None
        if points.ndim != 2 or points.shape[1] != len(COLUMNS) or not len(points):
            raise ValueError(
                f"Visited: points have shape {points.shape}, but must have (n, {len(COLUMNS)}) "
                f"with n at least 1: {', '.join(COLUMNS)}."
            )
        for column in (_CHOSEN, _REJECTED, _PROGRESS):
            if not np.isfinite(points[:, column]).all():
                raise ValueError(f"Visited: {COLUMNS[column]} has values that are not finite.")
        reference = points[:, _REFERENCE]
        if not (np.isfinite(reference).all() or np.isnan(reference).all()):
            raise ValueError(
                "Visited: the reference's log-probs must be finite for all pairs, or NaN for all."
            )
        progress = points[:, _PROGRESS]
        if progress.min() < 0 or progress.max() > 1:
            wrong = progress[(progress < 0) | (progress > 1)][0]
            raise ValueError(f"Visited: progress is {wrong:g}, but must be in [0, 1].")
        points.flags.writeable = False
        object.__setattr__(self, "points", points)

    @classmethod
    def grid(
        cls, low: float = LOW, high: float = HIGH, n: int = 24, needs_reference: bool = False
    ) -> Visited:
        """A stand-in where nothing was visited: ``n * n`` pairs all over a range of log-probs.

        They are evenly spread and reach the range's ends, but on no lattice, where few values of
        the margin would stand for all. Progress covers [0, 1]. The reference's log-probs
        lie half-way between the policy's and any others of the range: a policy starts at its
        reference and moves away.

        Args:
            low: lowest log-prob.
            high: highest log-prob.
            n: the square root of the number of points.
            needs_reference: whether to fill the reference's columns.

        Raises:
            ValueError: ``low`` is not below ``high``, or ``n`` is below 2.
        """
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(
                f"Visited: low is {low!r}, but must be finite and below high, {high!r}."
            )
        if n < 2:
            raise ValueError(f"Visited: n is {n!r}, but must be at least 2.")
        spread = _evenly_spread(n * n, len(COLUMNS))
        spread[:2, :2] = [[0.0, 1.0], [1.0, 0.0]]
        points = low + (high - low) * spread
        policy, reference = points[:, : _REJECTED + 1], points[:, _REFERENCE]
        reference[:] = 0.5 * (policy + reference) if needs_reference else np.nan
        points[:, _PROGRESS] = spread[:, _PROGRESS]
        return cls(points, measured=False)

    @classmethod
    def from_dict(cls, document: Any) -> Visited:
        """The points that `to_dict` wrote.

        Raises:
            ValueError: not such a document, or points that the class refuses.
        """
        if not isinstance(document, Mapping) or not {"points", "measured"} <= set(document):
            raise ValueError("Visited: the document must have the keys points and measured.")
        rows, measured = document["points"], document["measured"]
        if not isinstance(measured, bool):
            raise ValueError(f"Visited: measured is {measured!r}, but must be true or false.")
        try:
            points = np.array(rows, np.float64)  # None becomes NaN
        except (TypeError, ValueError, OverflowError):
            raise ValueError("Visited: points must be rows of five numbers.") from None
        return cls(points, measured)

    def to_dict(self) -> dict[str, Any]:
        """A document of plain values for JSON: 6 significant digits, None in place of NaN."""
        rows = [
            [None if np.isnan(value) else float(f"{value:.{_DIGITS}g}") for value in row]
            for row in self.points
        ]
        return {"measured": self.measured, "points": rows}

    @property
    def has_reference(self) -> bool:
        """Whether the reference's log-probs are there."""
        return not np.isnan(self.points[0, _REFERENCE]).any()

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest log-prob of the policy, chosen or rejected."""
        policy = self.points[:, : _REJECTED + 1]
        return float(policy.min()), float(policy.max())

    @property
    def margin_range(self) -> tuple[float, float]:
        """The lowest and the highest difference of chosen and rejected.

        Log-ratios to the reference are compared where there is one, log-probs otherwise.
        """
        values = self.log_ratios if self.has_reference else self.points[:, : _REJECTED + 1]
        margins = values[:, 0] - values[:, 1]
        return float(margins.min()), float(margins.max())

    @property
    def log_ratios(self) -> np.ndarray:
        """(n, 2): log-probs of chosen and rejected relative to the reference's; NaN without."""
        return self.points[:, : _REJECTED + 1] - self.points[:, _REFERENCE]

    @property
    def mean_reference(self) -> tuple[float, float]:
        """The reference's mean log-prob of the chosen and of the rejected; NaN without one."""
        chosen, rejected = self.points[:, _REFERENCE].mean(axis=0)
        return float(chosen), float(rejected)


def _evenly_spread(n: int, dimensions: int) -> np.ndarray:
    """(n, dimensions) points that fill the unit cube evenly.

    They are an additive recurrence by powers of the generalised golden ratio (Roberts, 2018).
    """
    ratio = 2.0
    for _ in range(50):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    return (0.5 + np.arange(n)[:, None] * steps) % 1.0
