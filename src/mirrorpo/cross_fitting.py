"""Preference models of a dataset's own pairs, each asked about pairs that it has not seen."""

import warnings
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

FOLDS = 5
FEWEST_PAIRS = 40


def check_enough(pairs: int) -> None:
    """Raise ValueError for fewer than `FEWEST_PAIRS` pairs."""
    if pairs < FEWEST_PAIRS:
        raise ValueError(
            f"{pairs} pairs are too few to estimate anything: at least {FEWEST_PAIRS} are needed."
        )


def cross_fitted_margins(
    difference: Any,
    group: np.ndarray,
    regularisation: float,
    seed: int = 0,
    fitted: Callable[[int], object] = lambda models: None,
) -> np.ndarray:
    """What models that were trained on other pairs say of each label: positive, they agree.

    Logistic models without intercept, so exchanging chosen and rejected changes the sign alone.

    Args:
        difference: features of chosen minus rejected, shape (pairs, features), dense or sparse.
        group: pairs of one group are always in one fold, shape (pairs,), int.
        regularisation: scikit-learn's C.
        seed: draws the folds.
        fitted: told how many of the `FOLDS` models there are so far.

    Returns:
        Shape (pairs,), in units of their own median size.

    Raises:
        ValueError: fewer than `FEWEST_PAIRS` pairs, or than `FOLDS` groups.
    """
    check_enough(len(group))
    if len(np.unique(group)) < FOLDS:
        raise ValueError(f"All pairs share fewer than {FOLDS} prompts: none can be held out.")
    draw = np.random.default_rng(seed)
    found = np.zeros(len(group))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (known, asked) in enumerate(folds.split(group, groups=group), 1):
        # Labels are balanced by turning half of the pairs around.
        sign = draw.permutation(np.arange(len(known)) % 2) * 2 - 1
        turned = _scaled(difference[known], sign)
        model = LogisticRegression(C=regularisation, fit_intercept=False, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(turned, sign > 0)
        found[asked] = model.decision_function(difference[asked])
        fitted(number)
    typical = np.median(np.abs(found))
    return found / typical if typical > 0 else found


def groups(keys: Iterable[Hashable]) -> np.ndarray:
    """A number for each key, the same for equal keys; shape (keys,), int."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys])


def trust_ranks(margins: np.ndarray) -> np.ndarray:
    """Each pair's rank when pairs are ordered by how far models agree with their label.

    Args:
        margins: what `cross_fitted_margins` found, shape (pairs,).

    Returns:
        Shape (pairs,), float32, strictly between 0 (the models are surest that the label is wrong)
        and 1; see `objectives.PairPlan`.
    """
    rank = np.empty(len(margins))
    rank[np.argsort(margins, kind="stable")] = np.arange(len(margins))
    return ((rank + 0.5) / len(margins)).astype(np.float32)


def _scaled(rows: Any, sign: np.ndarray) -> Any:
    """Each row times its sign, dense or sparse."""
    if sparse.issparse(rows):
        return rows.multiply(sign[:, None]).tocsr()
    return rows * sign[:, None]
