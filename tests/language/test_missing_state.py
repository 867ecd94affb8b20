"""A checkpoint that lacks a part of the training's state is not resumed from in silence."""

import json
import zipfile

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch

from mirrorpo import objectives
from mirrorpo.language.training import checkpoints, memory, reference
from mirrorpo.language.training.stages import Stage

STATE = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def checkpoint(folder, step, *names):
    """A whole checkpoint, as far as can be seen without loading it."""
    place = folder / f"checkpoint-{step}"
    place.mkdir(parents=True)
    for name in ("pytorch_model.bin", *(names or STATE)):
        with zipfile.ZipFile(place / name, "w") as packed:
            packed.writestr("data", "x")
    (place / checkpoints.STATE).write_text(json.dumps({"global_step": step, "max_steps": 4}))
    return place


def nothing_more(step, steps):
    return ()


def newest(folder, said, needed=nothing_more):
    return checkpoints.newest(folder, needed, said.append)


def check(folder, needed=nothing_more, **changes):
    checkpoints.check(folder, needed, **changes)


@pytest.mark.parametrize("name", STATE)
def test_the_one_before_is_taken_and_a_line_says_what_is_missing(name, tmp_path):
    for step in (1, 2):
        checkpoint(tmp_path, step)
    said = []
    assert newest(tmp_path, said) == str(tmp_path / "checkpoint-2")
    assert said == []
    (tmp_path / "checkpoint-2" / name).unlink()
    assert newest(tmp_path, said) == str(tmp_path / "checkpoint-1")
    (line,) = said
    assert f"checkpoint-2 is damaged (it has no {name}" in line
    assert "resumes from" in line
    with pytest.raises(ValueError, match=f"it has no {name}"):
        check(tmp_path / "checkpoint-2")


def test_a_checkpoint_without_its_model_is_passed_over(tmp_path):
    for step in (1, 2):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-2" / "pytorch_model.bin").unlink()
    said = []
    assert newest(tmp_path, said) == str(tmp_path / "checkpoint-1")
    assert "checkpoint-2 is damaged (it has no model)" in said[0]


@pytest.mark.parametrize("name", [memory.FILE, reference.FILE, "scaler.pt"])
def test_a_checkpoint_without_what_its_training_needs_is_passed_over(name, tmp_path):
    for step in (1, 2):
        checkpoint(tmp_path, step)
    said = []
    found = newest(tmp_path, said, lambda step, steps: [name] if (step, steps) == (2, 4) else [])
    assert found == str(tmp_path / "checkpoint-1")
    assert f"checkpoint-2 is damaged (it has no {name})" in said[0]


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"global_step": 5, "max_steps": 4}'])
def test_a_checkpoint_whose_step_is_not_known_is_passed_over(state, tmp_path):
    for step in (1, 2):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-2" / checkpoints.STATE).write_text(state)
    said = []
    assert newest(tmp_path, said) == str(tmp_path / "checkpoint-1")
    assert f"its {checkpoints.STATE} " in said[0]


def test_what_is_needed_follows_from_the_stage_that_trains_next():
    def needed(name, step, own_reference=True, scales=False):
        stage = Stage(objectives.get(name), 4, 8)
        return checkpoints.needed_in(stage, step, own_reference, scales)

    assert needed("dpo", 4) == []
    assert needed("dpo", 5) == [reference.FILE]
    assert needed("dpo", 5, own_reference=False) == []
    assert needed("gamma-simpo", 5) == [memory.FILE]
    assert needed("gamma-dpo", 5) == [reference.FILE, memory.FILE]
    assert needed("simpo", 5) == []
    assert needed("simpo", 4, scales=True) == ["scaler.pt"]


def test_without_another_one_training_starts_over(tmp_path):
    (checkpoint(tmp_path, 1) / "optimizer.pt").unlink()
    said = []
    assert newest(tmp_path, said) is None
    assert "lost, or left out by save_only_model" in said[0]
    assert "starts over" in said[0]


def test_every_process_needs_its_random_state(tmp_path):
    names = ("optimizer.pt", "scheduler.pt", "rng_state_0.pth", "rng_state_1.pth")
    place = checkpoint(tmp_path, 1, *names)
    check(place, processes=2)
    check(place, processes=1)  # transformers says itself that the order is another
    (place / "rng_state_1.pth").unlink()
    with pytest.raises(ValueError, match=r"it has no rng_state_1\.pth"):
        check(place, processes=2)


def test_layouts_of_sharded_trainings_are_whole(tmp_path):
    sharded = checkpoint(tmp_path, 1, "scheduler.pt", "rng_state.pth")
    (sharded / "optimizer_0").mkdir()
    check(sharded)
    deepspeed = checkpoint(tmp_path, 2, "rng_state.pth")
    (deepspeed / "global_step2").mkdir()
    check(deepspeed)


def test_an_objective_that_remembers_does_not_begin_again_in_the_middle():
    stage = Stage(objectives.get("gamma-dpo"), 4, 8)
    assert memory.recalled(None, stage, 4, "cpu") is None
    kept = memory.Memory(torch.ones(2), 4)
    assert torch.equal(memory.recalled(kept, stage, 6, "cpu"), torch.ones(2))
    with pytest.raises(
        ValueError, match=f"resumes at step 6 and the checkpoint has no {memory.FILE}"
    ):
        memory.recalled(None, stage, 6, "cpu")
    assert memory.recalled(None, Stage(objectives.get("dpo"), 4, 8), 6, "cpu") is None
