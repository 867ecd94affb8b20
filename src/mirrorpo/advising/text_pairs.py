"""Pairs of texts as numbers; robots and their simulators are not needed for it."""

from collections.abc import Sequence

import numpy as np

from mirrorpo.advising import text_features
from mirrorpo.advising.pairs import Pairs, drawn
from mirrorpo.cross_fitting import check_enough, groups
from mirrorpo.preference_texts.reading import PreferenceTexts
from mirrorpo.preference_texts.row import PreferenceRow


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
    modelled = drawn(n, seed, letters)
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
