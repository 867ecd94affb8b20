"""Scores on the scale of the two source agents: 0 is the worse one's, 1 the better one's."""

import numpy as np
from numpy.typing import ArrayLike


def normalised_score(score: ArrayLike, worse: float, better: float) -> np.ndarray:
    """Where a score lies between the source agents.

    Args:
        score: any shape.
        worse: mean true return of the worse source agent.
        better: the score of the better one.

    Returns:
        (score - worse) / (better - worse), of the shape of `score`, not clipped.

    Raises:
        ValueError: better does not exceed worse.
    """
    return (np.asarray(score, dtype=np.float64) - worse) / _range(worse, better)


def normalised_error(
    score: ArrayLike,
    error: ArrayLike,
    worse: float,
    better: float,
    worse_error: float = 0.0,
    better_error: float = 0.0,
) -> np.ndarray:
    """Standard error of `normalised_score`, to first order in the three errors.

    All scores of a table share the source agents' part, so it does not matter to their order. It
    matters when scores of two tables are compared.

    Args:
        score: any shape.
        error: standard errors of the scores, of the same shape.
        worse: mean true return of the worse source agent.
        better: the score of the better one.
        worse_error: standard error of `worse`; 0 where it is taken as given.
        better_error: the standard error of `better`.

    Returns:
        Of the shape of `score`; NaN where an error is NaN.

    Raises:
        ValueError: better does not exceed worse.
    """
    size = _range(worse, better)
    place = normalised_score(score, worse, better)
    parts = (np.asarray(error, dtype=np.float64), (1.0 - place) * worse_error, place * better_error)
    return np.asarray(np.sqrt(sum(part**2 for part in parts)) / size)


def _range(worse: float, better: float) -> float:
    if not better > worse:
        raise ValueError(f"better must exceed worse: got better {better} and worse {worse}.")
    return better - worse
