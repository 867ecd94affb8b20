"""An objective, learned or not, and a dataset that version 0.1.0 saved; an agent is in
tests/agents."""

from pathlib import Path

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.preferences.data import PreferenceDataset

OLD = Path(__file__).parents[1] / "data" / "files-0.1.0"
PAIRS = objectives.PairLogProbs(np.array([-1.0, -6.0, -9.0]), np.array([-2.0, -5.0, -14.0]))


@pytest.mark.parametrize(
    ("file", "losses"),
    [
        ("simpo.json", [0.2014132779827524, 2.5788897342925496, 7.484902862926717e-05]),
        ("learned.safetensors", [-2.610973652310779, 10.45387004849634, -57.207274718238324]),
    ],
)
def test_an_objective_of_version_0_1_0_gives_the_losses_that_it_gave(file, losses):
    np.testing.assert_allclose(objectives.load(OLD / file)(PAIRS), losses, rtol=1e-12)


def test_a_dataset_of_version_0_1_0_has_the_pairs_that_it_had():
    dataset = PreferenceDataset.load(OLD / "dataset.safetensors")
    assert dataset.card["variant"] == "noisy:0.3"
    assert dataset.chosen.tolist() == [1, 2, 4, 6]
    assert dataset.rejected.tolist() == [0, 3, 5, 7]
    assert dataset.flipped.tolist() == [True, False, False, False]
    assert dataset.trajectories.observations.shape == (8, 5, 11)
    returns = dataset.trajectories.returns[dataset.chosen]
    np.testing.assert_allclose(returns, [1.911205, 9.413369, 9.218682, 10.545054], rtol=1e-6)
