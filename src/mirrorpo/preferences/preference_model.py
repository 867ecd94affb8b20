"""Preference models of a dataset's own pairs, each asked about pairs that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from mirrorpo.preferences.data import PreferenceDataset, Trajectories

FOLDS = 5
FEWEST_PAIRS = 40
REGULARISATION = 0.1
"""scikit-learn's C of a logistic model on trajectories' features."""


def trajectory_difference(dataset: PreferenceDataset) -> np.ndarray:
    """Features of each pair's chosen trajectory minus those of its rejected one.

    A trajectory's features are its length, and mean and standard deviation over time of each
    observation and action, and the mean size of each action's changes, scaled to one size. True
    returns are not used.

    Returns:
        Shape (rows, features).
    """
    both = np.concatenate([dataset.chosen, dataset.rejected])
    used, place = np.unique(both, return_inverse=True)
    features = _features(dataset.trajectories, used)[place]
    chosen, rejected = np.split(StandardScaler().fit_transform(features), 2)
    difference: np.ndarray = chosen - rejected
    return difference


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


def ease(dataset: PreferenceDataset) -> np.ndarray:
    """Each pair's place when pairs are ordered by how far models agree with their label.

    Returns:
        Shape (rows,), float32, strictly between 0 (the models are surest that the label is wrong)
        and 1; see `objectives.PairPlan`.

    Raises:
        ValueError: see `cross_fitted_margins`.
    """
    group = dataset.trajectories.start[dataset.chosen].astype(int)
    margin = cross_fitted_margins(trajectory_difference(dataset), group, REGULARISATION)
    rank = np.empty(len(margin))
    rank[np.argsort(margin, kind="stable")] = np.arange(len(margin))
    return ((rank + 0.5) / len(margin)).astype(np.float32)


def _features(trajectories: Trajectories, which: np.ndarray) -> np.ndarray:
    rows = []
    for index in which:
        steps = max(int(trajectories.length[index]), 1)
        seen = trajectories.observations[index, :steps].astype(np.float64)
        done = trajectories.actions[index, :steps].astype(np.float64)
        jumps = np.abs(np.diff(done, axis=0, prepend=done[:1]))
        moments = (seen.mean(0), seen.std(0), done.mean(0), done.std(0), jumps.mean(0))
        rows.append(np.concatenate([[steps], *moments]))
    return np.array(rows)


def _scaled(rows: Any, sign: np.ndarray) -> Any:
    """Each row times its sign, dense or sparse."""
    if sparse.issparse(rows):
        return rows.multiply(sign[:, None]).tocsr()
    return rows * sign[:, None]
