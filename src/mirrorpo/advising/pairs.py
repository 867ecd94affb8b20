"""Preference pairs of any kind as numbers: one row of features and two lengths a pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_MODELLED = 20_000
"""Pairs that preference models are made of, at most; more would change an estimate by less than its
own error, and take minutes."""

MOST_LETTERS = 10_000_000
FEWEST_MODELLED = 4_000
"""Likewise of texts: pairs of long ones are fewer, down to these."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Preference pairs.

    Attributes:
        kind: "trajectories" or "texts".
        modelled: positions of the pairs that preference models are made of, rising, shape
            (modelled,), int: all pairs, or as many as are drawn from a large dataset.
        difference: features of the chosen minus those of the rejected, shape (modelled, features),
            dense or sparse.
        regularisation: scikit-learn's C of a logistic model on them.
        group: pairs of one group share a prompt or a start, shape (pairs,), int.
        chosen_length: in steps or words, shape (pairs,).
        rejected_length: likewise.
        identical: whether chosen and rejected are the same, shape (pairs,), bool.
        reference: log-probs of chosen and rejected under a reference, means over steps, words or
            tokens, shape (pairs, 2), or of fewer pairs; None where they are not known.
    """

    kind: str
    modelled: np.ndarray
    difference: Any
    regularisation: float
    group: np.ndarray
    chosen_length: np.ndarray
    rejected_length: np.ndarray
    identical: np.ndarray
    reference: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.group)

    @property
    def judged(self) -> np.ndarray:
        """Which of the modelled pairs differ in their two sequences, shape (modelled,), bool."""
        return ~self.identical[self.modelled]


def drawn(count: int, seed: int, letters: np.ndarray | None = None) -> np.ndarray:
    """Positions of the pairs to model, rising; `letters` says how many each pair of texts has."""
    order = np.random.default_rng(seed).permutation(count)
    most = min(count, MOST_MODELLED)
    if letters is not None:
        fit = int(np.searchsorted(np.cumsum(letters[order]), MOST_LETTERS, side="right"))
        most = min(most, max(fit, FEWEST_MODELLED))
    return np.sort(order[:most])
