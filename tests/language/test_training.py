"""Short trainings of a tiny model: stages, adapters, settings, what is logged."""

import math

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from mirrorpo.objectives import LearnedSchedule, MonotoneNetwork, TimedNetwork

from . import tiny

torch = pytest.importorskip("torch")

REFUSED = {"tr-dpo", "mixdpo", "dpo-filtered", "slic-filtered", "slic-robust"}


@pytest.mark.parametrize("name", [name for name in objectives.available() if name not in REFUSED])
def test_every_objective_trains(name, tmp_path):
    made = tiny.trainer(name, tmp_path, max_steps=2)
    before = tiny.weights(made)
    made.train()
    losses = tiny.logged(made, "loss")
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    assert any(not torch.equal(value, before[key]) for key, value in tiny.weights(made).items())


LEARNED = objectives.get(
    "ta-mpo",
    psi=TimedNetwork.of(MonotoneNetwork.psi()),
    link=MonotoneNetwork.link(),
    schedule=LearnedSchedule(),
    aggregation="mean",
)


@pytest.mark.parametrize(
    "name", ["sft", "orpo", "ta-mpo", "cpo", "1s-mpo", "paper-noisy", "dpo", "irpo", LEARNED]
)
def test_logged_terms_add_up_to_the_loss(name, tmp_path):
    made = tiny.trainer(
        name, tmp_path, max_steps=4, logging_steps=2, gradient_accumulation_steps=2, sft_stage=False
    )
    made.train()
    rows = [row for row in made.state.log_history if "loss" in row]
    assert len(rows) == 2
    for row in rows:
        total = row["loss/sft"] + row["loss/preference"]
        assert total == pytest.approx(row["loss"], rel=1e-5, abs=1e-6)


def test_logged_numbers_are_those_of_the_batch(tmp_path):
    made = tiny.trainer("ta-mpo", tmp_path, max_steps=4)
    made.train()
    assert tiny.logged(made, "progress") == [0.0, 0.25, 0.5, 0.75]
    assert tiny.logged(made, "weight/preference") == [0.0, 0.25, 0.5, 0.75]
    assert tiny.logged(made, "weight/sft") == [1.0, 0.75, 0.5, 0.25]

    made = tiny.trainer("sft", tmp_path, max_steps=1, per_device_train_batch_size=len(tiny.PAIRS))
    batch = tiny.collated(made)
    sides = []
    for side in ("chosen", "rejected"):
        labels = batch[f"{side}_labels"][:, 1:]
        outputs = made.model(
            batch[f"{side}_input_ids"], attention_mask=batch[f"{side}_attention_mask"]
        )
        log_probs = torch.log_softmax(outputs.logits[:, :-1].double(), -1)
        taken = log_probs.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels != -100)
        sides.append((taken.sum(-1), (labels != -100).sum(-1)))
    (chosen, chosen_length), (rejected, rejected_length) = sides
    made.train()
    (row,) = [row for row in made.state.log_history if "loss" in row]
    expected = {
        "logps/chosen": chosen.mean(),
        "logps/rejected": rejected.mean(),
        "logps_per_token/chosen": (chosen / chosen_length).mean(),
        "logps_per_token/rejected": (rejected / rejected_length).mean(),
        "margin": (chosen - rejected).mean(),
        "accuracy": (chosen > rejected).double().mean(),
        "loss": -chosen.mean(),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value.item(), rel=1e-5), name


def test_two_stages_are_sft_and_then_the_objective_with_the_fitted_model_as_reference(tmp_path):
    changes = {"num_train_epochs": 2, "sft_learning_rate": 2e-3, "learning_rate": 1e-2}
    made = tiny.trainer("dpo", tmp_path, **changes)
    made.train()
    assert tiny.logged(made, "progress") == [0, 0.25, 0.5, 0.75, 0, 0.25, 0.5, 0.75]
    rates = tiny.logged(made, "learning_rate")
    np.testing.assert_allclose(rates[:4], 2e-3 * np.array([1, 0.75, 0.5, 0.25]))
    np.testing.assert_allclose(rates[4:], 1e-2 * np.array([1, 0.75, 0.5, 0.25]))
    preference = tiny.logged(made, "loss/preference")
    assert preference[:4] == [0] * 4
    assert preference[4] == pytest.approx(math.log(2), rel=1e-6)  # policy and reference are equal
    assert preference[5] != pytest.approx(math.log(2), rel=1e-3)


def test_a_stage_equals_a_run_of_its_own(tmp_path):
    """The first stage is an SFT run; the second starts with no memory in the optimiser."""
    both = tiny.trainer("simpo", tmp_path, num_train_epochs=2, per_device_train_batch_size=8)
    both.train()
    sft = tiny.trainer("sft", tmp_path, aggregation="mean", per_device_train_batch_size=8)
    sft.train()
    alone = tiny.trainer(
        "simpo", tmp_path, policy=sft.model, sft_stage=False, per_device_train_batch_size=8
    )
    alone.train()
    for name, value in tiny.weights(both).items():
        torch.testing.assert_close(value, tiny.weights(alone)[name], rtol=1e-5, atol=1e-6)


def test_the_optimiser_keeps_its_memory_if_asked(tmp_path):
    runs = [
        tiny.trainer("simpo", tmp_path, num_train_epochs=2, reset_optimizer=reset)
        for reset in (True, False)
    ]
    for run in runs:
        run.train()
    losses = [tiny.logged(run, "loss") for run in runs]
    assert losses[0][:5] == losses[1][:5]
    assert losses[0][6:] != losses[1][6:]


def test_memory_is_of_training_batches_in_order_and_of_one_stage(tmp_path):
    made = tiny.trainer("gamma-simpo", tmp_path, num_train_epochs=2, evaluated=tiny.PAIRS[:2])
    made.train()
    made.evaluate()
    known = made._memory.values[~made._memory.values.isnan()]
    assert len(known) == len(tiny.PAIRS)  # two stages of an epoch each, and no evaluation
    margins = [10.0 * margin for margin in tiny.logged(made, "margin")[-4:]]
    np.testing.assert_allclose(known.reshape(4, 2).mean(1), margins, rtol=1e-4)


def test_the_gate_knows_the_margins_of_the_batches_that_it_trained_on(tmp_path):
    made = tiny.trainer("gated", tmp_path, max_steps=2)
    before = tiny.weights(made)
    made.train()
    assert any(not torch.equal(value, before[key]) for key, value in tiny.weights(made).items())
    first, second = tiny.logged(made, "margin")
    mean, size = made._memory.values.tolist()
    assert mean == pytest.approx(0.99 * first + 0.01 * second, rel=1e-4)
    assert mean != pytest.approx(first, rel=1e-4)
    assert size >= abs(mean)


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_saved_file_trains_as_its_objective(suffix, tmp_path):
    objective = objectives.get(
        "1s-mpo", inverse_potential=MonotoneNetwork.inverse_potential(), weight=0.5, beta=0.2
    )
    path = tmp_path / f"found.{suffix}"
    objectives.save(objective, path)
    runs = [
        tiny.trainer(given, tmp_path, aggregation="mean") for given in (objective, path, str(path))
    ]
    for run in runs:
        run.train()
        tiny.assert_same_weights(runs[0], run)


def test_a_shipped_discovery_trains_by_its_name(tmp_path):
    found = artefact.load("hopper-hinge").objective
    runs = [tiny.trainer(given, tmp_path) for given in (found, "hopper-hinge")]
    for run in runs:
        run.train()
    tiny.assert_same_weights(*runs)


def test_aggregation_is_the_objectives_own_unless_given(tmp_path):
    losses = {}
    for how in ("objective", "sum", "mean"):
        made = tiny.trainer("sft", tmp_path, aggregation=how)
        losses[how] = tiny.loss_and_gradients(made, tiny.collated(made, [0]))[0].item()
    assert losses["objective"] == losses["sum"]
    assert losses["sum"] == pytest.approx(5 * losses["mean"])


@pytest.mark.parametrize("name", ["ta-mpo", "dpo"])
def test_lora_trains_only_adapters(name, tmp_path):
    made = tiny.trainer(
        name, tmp_path, num_train_epochs=2, peft_config=tiny.lora(lora_dropout=0.05)
    )
    assert any(
        isinstance(part, torch.nn.Dropout) and part.p == 0.05 for part in made.model.modules()
    )
    before = tiny.weights(made)
    made.train()
    changed = {
        key for key, value in tiny.weights(made).items() if not torch.equal(value, before[key])
    }
    assert changed
    assert all("lora_" in key for key in changed)
    made.save_model(str(tmp_path / "saved"))
    assert (tmp_path / "saved" / "adapter_config.json").is_file()


def test_bf16_and_gradient_checkpointing_train(tmp_path):
    made = tiny.trainer("dpo", tmp_path, bf16=True, gradient_checkpointing=True, max_steps=4)
    made.train()
    assert all(math.isfinite(loss) for loss in tiny.logged(made, "loss"))


def test_bf16_is_off_where_no_gpu_computes_in_it(tmp_path):
    from mirrorpo.language import PreferenceConfig

    settings = PreferenceConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True)
    assert not settings.bf16


def test_settings_can_be_read_from_a_command_line(tmp_path):
    from mirrorpo.language import PreferenceConfig

    parser = tiny.transformers.HfArgumentParser(PreferenceConfig)
    (found,) = parser.parse_args_into_dataclasses(
        ["--output_dir", str(tmp_path), "--aggregation", "mean", "--sft_stage", "False"]
    )
    assert (found.aggregation, found.sft_stage, found.disable_dropout) == ("mean", False, False)


def test_conversations_need_no_prompt_column(tmp_path):
    rows = [
        {
            side: [{"role": "user", "content": p}, {"role": "assistant", "content": answer}]
            for side, answer in (("chosen", c), ("rejected", r))
        }
        for p, c, r in tiny.PAIRS
    ]
    from mirrorpo.language import PreferenceConfig, PreferenceTrainer

    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}"
    made = PreferenceTrainer(
        tiny.model(),
        "ta-mpo",
        PreferenceConfig(**tiny.arguments(tmp_path)),
        train_dataset=tiny.datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    plain = tiny.trainer("ta-mpo", tmp_path)
    ours, theirs = tiny.collated(made), tiny.collated(plain)
    assert torch.equal(ours["chosen_input_ids"], theirs["chosen_input_ids"])
    assert torch.equal(ours["chosen_labels"], theirs["chosen_labels"])


def test_a_model_can_be_named_by_its_folder(tmp_path):
    from mirrorpo.language import PreferenceConfig, PreferenceTrainer

    folder = tmp_path / "base"
    tiny.model().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    named = PreferenceTrainer(
        str(folder),
        "ta-mpo",
        PreferenceConfig(**tiny.arguments(tmp_path)),
        train_dataset=tiny.dataset(),
    )
    given = tiny.trainer("ta-mpo", tmp_path)
    for made in (named, given):
        made.train()
    tiny.assert_same_weights(named, given)


def test_predicting_gives_the_loss_and_the_numbers_of_the_pairs(tmp_path):
    made = tiny.trainer("ta-mpo", tmp_path, evaluated=tiny.ALIKE)
    made.train()
    evaluated = made.evaluate()
    predicted = made.predict(made.eval_dataset, metric_key_prefix="eval").metrics
    assert predicted["eval_loss"] == evaluated["eval_loss"]
