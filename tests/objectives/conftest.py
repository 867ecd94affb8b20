"""Preference pairs and every objective, for the tests of this folder."""

import numpy as np
import pytest

from mirrorpo import objectives


def pytest_generate_tests(metafunc):
    if "every_name" in metafunc.fixturenames:
        metafunc.parametrize("every_name", objectives.available())


@pytest.fixture
def arrays():
    """Eight pairs in float64, as the arguments of PairLogProbs: all fields, unequal lengths."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, size=(2, 8))
    log_probs = -rng.uniform(0.05, 3.0, size=(4, 8)) * np.concatenate([lengths, lengths])
    return (*log_probs, *lengths)


@pytest.fixture
def pairs(arrays):
    return objectives.PairLogProbs(*arrays)
