"""Each loss is trained beside TRL's trainer, and one that differs is seen."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")


from benchmarks import beside_trl
from mirrorpo import objectives

SIZE = beside_trl.Size(steps=4, batch=2, answer=8, hidden=16, vocabulary=258)


pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


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


def test_no_repeat_begins_after_its_time_but_the_first(known, monkeypatch):
    monkeypatch.setattr(beside_trl, "run", lambda loss, side, size: ([1.0, 2.0], 0.5))
    found = beside_trl.compare(known["simpo"], SIZE, repeats=5, until=0.0)
    assert found["repeats"] == len(found["ratios"]) == 1
    assert beside_trl.compare(known["simpo"], SIZE, repeats=5)["repeats"] == 5


def test_the_table_has_a_row_for_each_loss_and_a_dash_for_what_is_not_known(known, monkeypatch):
    seconds = iter([0.0, 0.0, 1.0, 2.0])
    monkeypatch.setattr(beside_trl, "run", lambda *_: ([1.0, 2.0], next(seconds)))
    line = {"loss": "simpo", "trainer": "CPO"}
    line |= beside_trl.compare(known["simpo"], SIZE, repeats=1)
    rows = beside_trl.as_table([line, line | {"ours_mib": 30.0, "trl_mib": 40.0}]).splitlines()
    assert len(rows) == 4
    assert rows[2] == "| simpo | CPO | 0 | 1 | 2 | 0.5 (0.50) | - | - | - |"
    assert rows[3] == "| simpo | CPO | 0 | 1 | 2 | 0.5 (0.50) | 30 | 40 | 0.75 |"
    assert len({row.count("|") for row in rows}) == 1


def test_memory_is_measured_in_a_process_of_its_own():
    assert beside_trl._in_a_process("dpo", "ours", SIZE) >= 0
