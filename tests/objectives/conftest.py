"""Preference pairs, every objective, and a file of a user's own, for the tests of this folder."""

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import component

SOURCE = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective, number


@dataclass(frozen=True, kw_only=True)
class PlainMargin(Objective):
    """The margin alone."""

    name: ClassVar[str] = "NAME"
    slope: float = number(SLOPE, above=0)

    def loss(self, batch, progress):
        return -self.slope * (batch.chosen - batch.rejected)


class Unrelated:
    pass


class Unfinished(Objective):
    name = "NAME-unfinished"


class Anonymous(PlainMargin):
    pass
'''


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


@pytest.fixture
def names_are_forgotten(monkeypatch):
    """Losses that the test registers are unknown after it."""
    monkeypatch.setattr(component, "_registry", dict(component._registry))


@pytest.fixture
def write(tmp_path, names_are_forgotten):
    """Writes a file of losses under a name, a slope and a file name; gives its path."""

    def write(name="own-margin", slope=2.0, file="own.py"):
        path = tmp_path / file
        path.write_text(SOURCE.replace("NAME", name).replace("SLOPE", str(slope)))
        return path

    return write
