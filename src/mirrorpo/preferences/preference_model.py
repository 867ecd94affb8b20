"""A preference model of trajectories: their features, and what it says of each pair's label."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from mirrorpo.cross_fitting import cross_fitted_margins, trust_ranks
from mirrorpo.preferences.data import PreferenceDataset, Trajectories

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


def ease(dataset: PreferenceDataset) -> np.ndarray:
    """Each pair's ease, as of `cross_fitting.trust_ranks`; shape (rows,), float32.

    Raises:
        ValueError: see `cross_fitting.cross_fitted_margins`.
    """
    group = dataset.trajectories.start[dataset.chosen].astype(int)
    difference = trajectory_difference(dataset)
    return trust_ranks(cross_fitted_margins(difference, group, REGULARISATION))


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
