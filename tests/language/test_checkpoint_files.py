"""What a checkpoint holds besides a model is checked when it is read."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch

from mirrorpo import array_files
from mirrorpo.language.training import memory, reference

ONES, CARD = torch.ones(3), {"format": reference.FORMAT, "step": 4, "data": "tokens"}


def test_both_files_come_back_as_they_were(tmp_path):
    reference.ReferenceLogProbs(ONES, 2 * ONES, 4, "tokens").save(tmp_path)
    memory.Memory(3 * ONES, 5).save(tmp_path)
    log_probs = reference.ReferenceLogProbs.load(tmp_path, "tokens")
    found = memory.Memory.load(tmp_path)
    assert torch.equal(log_probs.rejected, 2 * ONES)
    assert log_probs.step == 4
    assert torch.equal(found.values, 3 * ONES)
    assert found.stage == 5


@pytest.mark.parametrize(
    ("card", "arrays", "told"),
    [
        ({"step": None}, {}, "step is None, but must be a whole number"),
        ({"step": "4"}, {}, "step is '4', but must be a whole number"),
        ({"data": ["tokens"]}, {}, "data is .'tokens'., but must be a text"),
        ({}, {"rejected": None}, "it lacks rejected"),
        ({}, {"rejected": torch.ones(2)}, "not float32 of one length"),
        ({}, {"chosen": torch.ones(3, 1), "rejected": torch.ones(3, 1)}, "not float32 of one"),
        ({}, {"chosen": ONES.double(), "rejected": ONES.double()}, "not float32 of one length"),
    ],
)
def test_a_wrong_file_of_reference_log_probs_is_one_line(card, arrays, told, tmp_path):
    held = {"chosen": ONES, "rejected": ONES} | arrays
    whole = {name: array.numpy() for name, array in held.items() if array is not None}
    array_files.save_arrays(tmp_path / reference.FILE, whole, CARD | card)
    with pytest.raises(ValueError, match=told) as caught:
        reference.ReferenceLogProbs.load(tmp_path, "tokens")
    assert reference.FILE in str(caught.value)


@pytest.mark.parametrize(
    ("card", "arrays"), [({}, {"values": ONES}), ({"stage": 1}, {}), ({"stage": 1}, {"x": ONES})]
)
def test_a_wrong_memory_is_one_line(card, arrays, tmp_path):
    whole = {name: array.numpy() for name, array in arrays.items()}
    array_files.save_arrays(tmp_path / memory.FILE, whole, {"format": memory.FORMAT} | card)
    with pytest.raises(ValueError, match=memory.FILE):
        memory.Memory.load(tmp_path)
