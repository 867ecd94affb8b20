"""The reference of a training: which model it is, and when its log-probs are computed."""

import math

import pytest

from . import tiny

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [
        ("simpo", {}, []),
        ("ta-mpo", {}, []),
        ("kto", {}, [4]),
        ("dpo", {}, [4]),
        ("dpo", {"sft_stage": False}, [0]),
        ("dpo", {"sft_stage": False, "gradient_accumulation_steps": 2}, [0]),
    ],
)
def test_the_reference_is_computed_once_and_only_if_needed(
    name, settings, steps, tmp_path, monkeypatch
):
    found = tiny.count_measured(monkeypatch)
    made = tiny.trainer(
        name, tmp_path, num_train_epochs=2, evaluated=tiny.ALIKE, eval_strategy="epoch", **settings
    )
    made.evaluate()
    made.train()
    assert found == steps
    assert len(tiny.logged(made, "eval_loss")) == 2


def test_dropout_does_not_reach_the_reference(tmp_path):
    policy = tiny.model(attention_dropout=0.5)
    made = tiny.trainer("dpo", tmp_path, policy=policy, sft_stage=False)
    made.train()
    batch = tiny.collated(made)
    undisturbed = tiny.trainer("dpo", tmp_path, sft_stage=False)
    chosen, rejected = undisturbed.concatenated_forward(undisturbed.model, batch)[:2]
    found = made._reference.of(batch["row"], "cpu")
    torch.testing.assert_close(found, (chosen, rejected), rtol=1e-5, atol=1e-5)


def test_a_given_reference_model_is_the_reference_throughout(tmp_path):
    other = tiny.model(1)
    made = tiny.trainer("dpo", tmp_path, ref_model=other, num_train_epochs=2)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    made.train()
    plain = tiny.trainer("sft", tmp_path, policy=other)
    batch = tiny.collated(plain)
    expected = plain.concatenated_forward(other.eval(), batch)[:2]
    found = made._reference.of(batch["row"], "cpu")
    torch.testing.assert_close(found, tuple(expected), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_with_adapters_the_reference_without_sft_is_the_untouched_model(tmp_path):
    made = tiny.trainer("dpo", tmp_path, sft_stage=False, peft_config=tiny.lora())
    made.train()
    batch = tiny.collated(made)
    made.model.eval()
    with torch.no_grad(), made.model.disable_adapter():
        expected = made.concatenated_forward(made.model, batch)[:2]
    found = made._reference.of(batch["row"], "cpu")
    torch.testing.assert_close(found, tuple(expected), rtol=1e-5, atol=1e-5)


def test_a_second_training_takes_its_own_reference(tmp_path, monkeypatch):
    found = tiny.count_measured(monkeypatch)
    made = tiny.trainer("dpo", tmp_path, sft_stage=False)
    made.train()
    made.train()
    assert found == [0, 0]
    assert tiny.logged(made, "loss/preference")[0] == pytest.approx(math.log(2), rel=1e-6)
