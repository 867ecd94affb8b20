"""Padded rows and shared rows are trained on the same pairs, to the same losses."""

import dataclasses

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from benchmarks import padding_free

SIZE = padding_free.Size(
    steps=2, batch=3, shortest=2, longest=60, hidden=16, layers=1, vocabulary=258
)

pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


def test_both_kinds_have_the_same_losses():
    found = padding_free.compare(SIZE, repeats=1)
    assert 0 <= found["largest_difference"] < 1e-5
    assert found["ratio"] == found["free_seconds"] / found["padded_seconds"]


def test_only_unequal_answers_can_share_rows(tmp_path):
    asked = {}
    for equal in (False, True):
        size = dataclasses.replace(SIZE, equal=equal)
        trainer = padding_free.made("free", size, str(tmp_path))
        rows = []
        trainer.model.register_forward_pre_hook(lambda _, given, to=rows: to.append(len(given[0])))
        trainer.train()
        asked[equal] = rows[2:]  # after the comparison's two
    assert set(asked[True]) == {2 * SIZE.batch}
    assert asked[False][-1] < 2 * SIZE.batch
