"""How often two tables order alike the pairs of objectives that both tell apart."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from mirrorpo.study.statistics.row_means import row_means

ERRORS = 2.0
"""Standard errors of a difference from which on a table tells two rows apart."""


@dataclass(frozen=True)
class Concordance:
    """Agreement over the pairs of objectives that both tables tell apart.

    Attributes:
        pairs: all pairs of objectives with a score on both sides.
        first: pairs that the first table tells apart.
        second: pairs that the second tells apart.
        both: pairs that both tell apart.
        alike: how many of these both order alike.
        opposed: those that they order differently: (higher in the first, higher in the second).
    """

    pairs: int
    first: int
    second: int
    both: int
    alike: int
    opposed: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float:
        """Share of `both` that is ordered alike, in [0, 1]; NaN where there is no such pair."""
        return self.alike / self.both if self.both else math.nan

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if not self.both:
            return f"none of {self.pairs} pairs is told apart by both, so none can be compared"
        return (
            f"{self.alike} of {self.both} pairs that both tell apart by two standard errors are "
            f"ordered alike ({100 * self.share:.0f} %; {self.pairs} pairs in all)"
        )


def concordance(first: pd.DataFrame, second: pd.DataFrame, errors: float = ERRORS) -> Concordance:
    """Compare the order of two tables over the differences that are not chance on either side.

    A table tells two rows apart if their means differ by more than `errors` standard errors of the
    difference, the root of the sum of both squared standard errors. A row without a standard error
    (one agent) is never told apart from another.

    Args:
        first: agents or a table, see `row_means`. A row without a number is left out.
        second: the other side, for example a published table.
        errors: how many standard errors.

    Raises:
        ValueError: a column is missing.
    """
    sides = [
        row_means(side).set_index("algorithm").dropna(subset=["mean"]) for side in (first, second)
    ]
    names = [name for name in sides[0].index if name in sides[1].index]
    signs = [_told_apart(side.loc[names], errors) for side in sides]
    first_apart = second_apart = both = alike = 0
    opposed = []
    for one, two in combinations(range(len(names)), 2):
        ours, theirs = (int(sign[one, two]) for sign in signs)
        first_apart += ours != 0
        second_apart += theirs != 0
        both += ours * theirs != 0
        alike += ours * theirs > 0
        if ours * theirs < 0:
            pair = (names[one], names[two])
            opposed.append(pair if ours > 0 else pair[::-1])
    pairs = math.comb(len(names), 2)
    return Concordance(pairs, first_apart, second_apart, both, alike, tuple(opposed))


def _told_apart(table: pd.DataFrame, errors: float) -> np.ndarray:
    """Sign of row minus column where the table tells them apart, else 0; shape (n, n)."""
    mean, error = (table[name].to_numpy(float) for name in ("mean", "standard_error"))
    gap = mean[:, None] - mean
    wide = errors * np.hypot(error[:, None], error)
    # A comparison with NaN is false.
    return np.where(np.abs(gap) > wide, np.sign(gap), 0.0)
