"""Short trainings of a tiny model: stages, reference, resuming, adapters, what is logged."""

import math
from pathlib import Path

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from mirrorpo.objectives import LearnedSchedule, MonotoneNetwork, TimedNetwork

from . import tiny

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")


def lora(**changes):
    return peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **changes
    )


def assert_same_weights(first, second):
    first, second = tiny.weights(first), tiny.weights(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def count_measured(monkeypatch):
    """Steps at which a reference is computed, from now on."""
    from mirrorpo.language.training import trainer

    steps = []
    measured = trainer.PreferenceTrainer._measured

    def counting(self, policy, stage):
        steps.append(self.state.global_step)
        return measured(self, policy, stage)

    monkeypatch.setattr(trainer.PreferenceTrainer, "_measured", counting)
    return steps


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
    found = count_measured(monkeypatch)
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
        "peft_config": lora(lora_dropout=0.3),  # dropout: the generators' states matter
        **settings,
    }
    whole = tiny.trainer(name, tmp_path, **settings)
    whole.train()
    found = count_measured(monkeypatch)
    resumed = tiny.trainer(name, tmp_path / "other", policy=tiny.model(), **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
    assert_same_weights(whole, resumed)
    assert tiny.logged(whole, "loss")[step:] == tiny.logged(resumed, "loss")[step:]
    assert found == measured


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


def test_resume_true_takes_the_last_checkpoint(tmp_path):
    settings = {"num_train_epochs": 2, "save_strategy": "epoch"}
    first = tiny.trainer("ta-mpo", tmp_path, **settings)
    first.train()
    again = tiny.trainer("ta-mpo", tmp_path, **settings)
    again.train(resume_from_checkpoint=True)
    assert_same_weights(first, again)


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
    assert_same_weights(whole, again)
    assert tiny.logged(again, "loss") == tiny.logged(whole, "loss")


def test_a_checkpoint_without_its_reference_is_refused_and_not_recomputed(tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    tiny.trainer("dpo", tmp_path, **settings).train()
    checkpoint = tmp_path / "checkpoint-2"
    (checkpoint / "reference_log_probs.safetensors").unlink()
    made = tiny.trainer("dpo", tmp_path, **settings)
    with pytest.raises(ValueError, match=r"policy of step 0.*at step 2.*pass ref_model"):
        made.train(resume_from_checkpoint=str(checkpoint))


def test_a_checkpoint_of_other_pairs_is_refused(tmp_path):
    settings = {"sft_stage": False, "save_strategy": "steps", "save_steps": 2}
    tiny.trainer("dpo", tmp_path, **settings).train()
    made = tiny.trainer("dpo", tmp_path, pairs=tiny.PAIRS[::-1], **settings)
    with pytest.raises(ValueError, match="of other preference pairs"):
        made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


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
        assert_same_weights(runs[0], run)


def test_a_shipped_discovery_trains_by_its_name(tmp_path):
    found = artefact.load("hopper-hinge").objective
    runs = [tiny.trainer(given, tmp_path) for given in (found, "hopper-hinge")]
    for run in runs:
        run.train()
    assert_same_weights(*runs)


def test_aggregation_is_the_objectives_own_unless_given(tmp_path):
    losses = {}
    for how in ("objective", "sum", "mean"):
        made = tiny.trainer("sft", tmp_path, aggregation=how)
        losses[how] = tiny.loss_and_gradients(made, tiny.collated(made, [0]))[0].item()
    assert losses["objective"] == losses["sum"]
    assert losses["sum"] == pytest.approx(5 * losses["mean"])


@pytest.mark.parametrize("name", ["ta-mpo", "dpo"])
def test_lora_trains_only_adapters(name, tmp_path):
    made = tiny.trainer(name, tmp_path, num_train_epochs=2, peft_config=lora(lora_dropout=0.05))
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


def test_with_adapters_the_reference_without_sft_is_the_untouched_model(tmp_path):
    made = tiny.trainer("dpo", tmp_path, sft_stage=False, peft_config=lora())
    made.train()
    batch = tiny.collated(made)
    made.model.eval()
    with torch.no_grad(), made.model.disable_adapter():
        expected = made.concatenated_forward(made.model, batch)[:2]
    found = made._reference.of(batch["row"], "cpu")
    torch.testing.assert_close(found, tuple(expected), rtol=1e-5, atol=1e-5)


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
    assert_same_weights(named, given)


def test_predicting_gives_the_loss_and_the_numbers_of_the_pairs(tmp_path):
    made = tiny.trainer("ta-mpo", tmp_path, evaluated=tiny.ALIKE)
    made.train()
    evaluated = made.evaluate()
    predicted = made.predict(made.eval_dataset, metric_key_prefix="eval").metrics
    assert predicted["eval_loss"] == evaluated["eval_loss"]


def test_a_second_training_takes_its_own_reference(tmp_path, monkeypatch):
    found = count_measured(monkeypatch)
    made = tiny.trainer("dpo", tmp_path, sft_stage=False)
    made.train()
    made.train()
    assert found == [0, 0]
    assert tiny.logged(made, "loss/preference")[0] == pytest.approx(math.log(2), rel=1e-6)


def test_checkpoints_carry_the_reference(tmp_path):
    tiny.trainer("dpo", tmp_path, num_train_epochs=2, save_strategy="epoch").train()
    files = sorted(path.parent.name for path in Path(tmp_path).glob("*/reference_log_probs.*"))
    assert files == ["checkpoint-8"]
