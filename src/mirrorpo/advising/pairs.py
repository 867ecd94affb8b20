"""Preference pairs of any kind as numbers: one row of features and two lengths a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.advising import text_features
from mirrorpo.cross_fitting import check_enough, groups
from mirrorpo.preference_texts import reading
from mirrorpo.preference_texts.reading import PreferenceTexts
from mirrorpo.preference_texts.row import PreferenceRow
from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.preferences.preference_model import REGULARISATION, trajectory_difference

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


def read(path: Path, seed: int = 0) -> Pairs:
    """Read a dataset: ours (.safetensors), or texts, as `preference_texts.reading.read` does.

    Args:
        path: the dataset's file.
        seed: draws the modelled pairs of a large one.

    Raises:
        ValueError: no such file, another format, or a row that states no pair.
    """
    if path.suffix == ".safetensors":
        return from_trajectories(PreferenceDataset.load(path), seed)
    return from_texts(reading.read(path, reference=True), seed)


def from_trajectories(dataset: PreferenceDataset, seed: int = 0) -> Pairs:
    """Pairs of robots' trajectories, by the features of `trajectory_difference`.

    Pairs that people called equal, and that stand in both orders, are left out: their labels are
    neither right nor wrong.
    """
    dataset = _without_ties(dataset)
    trajectories = dataset.trajectories
    modelled = _drawn(len(dataset.chosen), seed)
    asked = replace(dataset, chosen=dataset.chosen[modelled], rejected=dataset.rejected[modelled])
    return Pairs(
        "trajectories",
        modelled,
        trajectory_difference(asked),
        REGULARISATION,
        trajectories.start[dataset.chosen].astype(int),
        trajectories.length[dataset.chosen].astype(float),
        trajectories.length[dataset.rejected].astype(float),
        dataset.chosen == dataset.rejected,
    )


def _without_ties(dataset: PreferenceDataset) -> PreferenceDataset:
    labels = dataset.card.get("labels")
    if not isinstance(labels, Mapping) or labels.get("ties") != "half":
        return dataset
    ends = np.stack([dataset.chosen, dataset.rejected], axis=1)
    known = {tuple(pair) for pair in ends.tolist()}
    kept = np.array([(b, a) not in known for a, b in ends.tolist()])
    if not kept.any():
        raise ValueError("All pairs are labelled as equal: nothing can be said of their labels.")
    return replace(dataset, chosen=dataset.chosen[kept], rejected=dataset.rejected[kept])


def _drawn(count: int, seed: int, letters: np.ndarray | None = None) -> np.ndarray:
    """Positions of the pairs to model, rising; `letters` says how many each pair of texts has."""
    order = np.random.default_rng(seed).permutation(count)
    most = min(count, MOST_MODELLED)
    if letters is not None:
        fit = int(np.searchsorted(np.cumsum(letters[order]), MOST_LETTERS, side="right"))
        most = min(most, max(fit, FEWEST_MODELLED))
    return np.sort(order[:most])


def from_texts(texts: PreferenceTexts, seed: int = 0) -> Pairs:
    """Pairs of texts.

    A completion's features are those of `text_features.difference`.

    Raises:
        ValueError: too few pairs, said before any text is looked at.
    """
    rows = texts.rows
    check_enough(len(rows))
    chosen = [row.answer("chosen") for row in rows]
    rejected = [row.answer("rejected") for row in rows]
    n = len(rows)
    sizes = [[len(answer) for answer in side] for side in (chosen, rejected)]
    letters = np.minimum(sizes, text_features.MOST_OF_A_TEXT).sum(axis=0)
    modelled = _drawn(n, seed, letters)
    asked = [[side[at] for at in modelled] for side in (chosen, rejected)]
    lengths = np.array([max(len(text.split()), 1) for text in (*chosen, *rejected)], float)
    return Pairs(
        "texts",
        modelled,
        text_features.difference(*asked),
        text_features.REGULARISATION,
        groups(row.question for row in rows),
        lengths[:n],
        lengths[n:],
        np.array([a == b for a, b in zip(chosen, rejected, strict=True)]),
        _reference(rows, lengths[:n], lengths[n:]),
    )


def _reference(
    rows: Sequence[PreferenceRow], chosen: np.ndarray, rejected: np.ndarray
) -> np.ndarray | None:
    summed = [row.reference for row in rows if row.reference is not None]
    return np.array(summed) / np.stack([chosen, rejected], axis=1) if summed else None
