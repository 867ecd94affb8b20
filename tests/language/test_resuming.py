"""A training that resumes from a checkpoint is the training that never stopped."""

from pathlib import Path

import pytest

from . import tiny

torch = pytest.importorskip("torch")

RESUMED = [  # name, settings, step to resume from, steps at which a reference is then computed
    ("ta-mpo", {}, 5, []),
    ("dpo", {"sft_stage": False}, 3, []),
    ("dpo", {}, 2, [4]),  # within SFT, before there is a reference
    ("dpo", {}, 4, [4]),  # at the end of SFT
    ("dpo", {}, 6, []),  # within DPO
    ("gamma-dpo", {}, 6, []),  # whose memory of earlier batches is in the checkpoint
    ("gated", {}, 3, []),  # likewise
]


@pytest.mark.parametrize(("name", "settings", "step", "measured"), RESUMED)
def test_a_resumed_training_equals_an_uninterrupted_one(
    name, settings, step, measured, tmp_path, monkeypatch
):
    settings = {
        "num_train_epochs": 2,
        "save_strategy": "steps",
        "save_steps": 1,
        "peft_config": tiny.lora(lora_dropout=0.3),  # dropout: the generators' states matter
        **settings,
    }
    whole = tiny.trainer(name, tmp_path, **settings)
    whole.train()
    found = tiny.count_measured(monkeypatch)
    resumed = tiny.trainer(name, tmp_path / "other", policy=tiny.model(), **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
    tiny.assert_same_weights(whole, resumed)
    assert tiny.logged(whole, "loss")[step:] == tiny.logged(resumed, "loss")[step:]
    assert found == measured


def test_resume_true_takes_the_last_checkpoint(tmp_path):
    settings = {"num_train_epochs": 2, "save_strategy": "epoch"}
    first = tiny.trainer("ta-mpo", tmp_path, **settings)
    first.train()
    again = tiny.trainer("ta-mpo", tmp_path, **settings)
    again.train(resume_from_checkpoint=True)
    tiny.assert_same_weights(first, again)


@pytest.mark.parametrize("steps", [6, 8])  # within an epoch, and at the end of one
def test_a_training_that_is_finished_trains_no_more(steps, tmp_path):
    settings = {
        "max_steps": steps,
        "save_strategy": "steps",
        "save_steps": 2,
        "lr_scheduler_type": "constant",
    }
    whole = tiny.trainer("dpo", tmp_path, **settings)
    whole.train()
    again = tiny.trainer("dpo", tmp_path, **settings)
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == steps
    tiny.assert_same_weights(whole, again)
    assert tiny.logged(again, "loss") == tiny.logged(whole, "loss")


@pytest.mark.parametrize(
    ("name", "lost"),
    [("dpo", "reference_log_probs.safetensors"), ("gated", "objective_memory.safetensors")],
)
def test_a_checkpoint_that_lacks_what_only_it_knows_is_refused(name, lost, tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    tiny.trainer(name, tmp_path, **settings).train()
    (tmp_path / "checkpoint-2" / lost).unlink()
    made = tiny.trainer(name, tmp_path, **settings)
    with pytest.raises(ValueError, match=rf"checkpoint-2 is damaged \(it has no {lost}\)"):
        made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


def test_a_given_reference_model_needs_no_log_probs_in_the_checkpoint(tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    whole = tiny.trainer("dpo", tmp_path, ref_model=tiny.model(1), **settings)
    whole.train()
    (tmp_path / "checkpoint-2" / "reference_log_probs.safetensors").unlink()
    made = tiny.trainer("dpo", tmp_path, ref_model=tiny.model(1), **settings)
    made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    tiny.assert_same_weights(whole, made)


def test_a_training_in_half_precision_needs_its_scaler_in_the_checkpoint(tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    tiny.trainer("simpo", tmp_path, **settings).train()
    made = tiny.trainer("simpo", tmp_path, **settings)
    # As accelerate makes one on a GPU alone.
    made.accelerator.scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(ValueError, match=r"it has no scaler\.pt"):
        made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    said = []
    assert made.newest_checkpoint(said.append) is None
    assert "it has no scaler.pt" in said[0]


def test_a_checkpoint_of_other_pairs_is_refused(tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    tiny.trainer("dpo", tmp_path, **settings).train()
    made = tiny.trainer("dpo", tmp_path, pairs=tiny.PAIRS[::-1], **settings)
    with pytest.raises(ValueError, match="of other preference pairs"):
        made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


def test_checkpoints_carry_the_reference(tmp_path):
    tiny.trainer("dpo", tmp_path, num_train_epochs=2, save_strategy="epoch").train()
    files = sorted(path.parent.name for path in Path(tmp_path).glob("*/reference_log_probs.*"))
    assert files == ["checkpoint-8"]
