"""Preference data whose right answer is known."""

import numpy as np
import pytest

from mirrorpo.preferences import data


def toy_dataset(rows=64, steps=20, observations=3, actions=2, seed=0):
    """Pairs whose chosen actions are +0.5 and whose rejected ones are -0.5, plus noise."""
    draw = np.random.default_rng(seed)
    count = 2 * rows
    sign = np.where(np.arange(count) < rows, 0.5, -0.5).astype("f4")
    trajectories = data.Trajectories(
        observations=draw.normal(size=(count, steps, observations)).astype("f4"),
        actions=(sign[:, None, None] + 0.5 * draw.normal(size=(count, steps, actions))).astype(
            "f4"
        ),
        length=np.full(count, steps, "i4"),
        returns=sign.copy(),
        agent=(np.arange(count) >= rows).astype("i1"),
        start=np.tile(np.arange(rows), 2).astype("i4"),
    )
    index = np.arange(rows, dtype="i4")
    return data.PreferenceDataset(trajectories, index, index + rows, {"task": "toy"})


@pytest.fixture
def toy():
    return toy_dataset()
