"""Pairs of texts as numbers, for a preference model: words, length and layout."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

MOST_OF_A_TEXT = 20_000
"""Letters of an answer that its features are made of: its beginning."""

REGULARISATION = 1.0
"""scikit-learn's C of a logistic model on these features."""

_VOCABULARY = 20_000
_LAYOUT_SHARE = 3.0


def difference(chosen: Sequence[str], rejected: Sequence[str]) -> sparse.csr_matrix:
    """Features of each pair's chosen text minus those of its rejected one.

    A text's features are its words and pairs of words (TF-IDF), the logarithm of its length, and
    how it is laid out.

    Returns:
        Shape (pairs, features).
    """
    asked = [text[:MOST_OF_A_TEXT] for side in (chosen, rejected) for text in side]
    vectoriser = TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, 2),
        min_df=2,
        max_features=_VOCABULARY,
        token_pattern=r"(?u)\b\w+\b|[^\w\s]",
    )
    try:
        words = vectoriser.fit_transform(asked)
    except ValueError:  # no word occurs twice
        words = sparse.csr_matrix((len(asked), 1))
    layout = StandardScaler().fit_transform([_layout(text) for text in asked]) / _LAYOUT_SHARE
    found = sparse.hstack([words, sparse.csr_matrix(layout)]).tocsr()
    return found[: len(chosen)] - found[len(chosen) :]


def _layout(text: str) -> list[float]:
    words = text.split()
    counts = [text.count(mark) for mark in ("\n", "- ", "**", "?", "`", "I ")]
    unique = len(set(words)) / max(len(words), 1)
    return [np.log1p(len(words)), unique, *np.log1p(counts)]
