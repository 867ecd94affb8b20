"""Each loss is trained beside TRL's trainer, and one that differs is seen."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch

from benchmarks import beside_trl
from mirrorpo import objectives

SIZE = beside_trl.Size(steps=4, batch=2, answer=8, hidden=16, vocabulary=258)


@pytest.fixture(autouse=True)
def offline_and_single_threaded(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def known():
    return beside_trl.losses(SIZE.answer + 1)


@pytest.mark.parametrize("name", ["simpo", "cpo", "orpo"])
def test_every_step_has_the_loss_of_trls_trainer(known, name):
    found = beside_trl.compare(known[name], SIZE, repeats=0)
    assert found["steps"] == SIZE.steps
    assert found["equal"] is True
    assert len(set(found["trl"])) == SIZE.steps


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dpo", "ipo", "kto"])
def test_every_step_has_the_loss_of_trls_trainer_with_a_reference(known, name):
    found = beside_trl.compare(known[name], replace(SIZE, accumulation=2), repeats=1)
    assert found["equal"] is (None if name == "kto" else True)
    assert found["ours"][0] == pytest.approx(found["trl"][0], rel=1e-4)
    assert found["times_trls_seconds"] == found["ours_seconds"] / found["trl_seconds"]


def test_another_loss_is_not_equal(known):
    other = replace(known["simpo"], objective=objectives.get("simpo", beta=2.1, gamma=0.8))
    assert beside_trl.compare(other, replace(SIZE, steps=2), repeats=0)["equal"] is False
