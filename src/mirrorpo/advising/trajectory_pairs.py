"""Pairs of robots' trajectories as numbers."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mirrorpo.advising.pairs import Pairs, drawn
from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.preferences.preference_model import REGULARISATION, trajectory_difference


def from_trajectories(dataset: PreferenceDataset, seed: int = 0) -> Pairs:
    """Pairs of robots' trajectories, by the features of `trajectory_difference`.

    Pairs that people called equal, and that stand in both orders, are left out: their labels are
    neither right nor wrong.
    """
    dataset = _without_ties(dataset)
    trajectories = dataset.trajectories
    modelled = drawn(len(dataset.chosen), seed)
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
