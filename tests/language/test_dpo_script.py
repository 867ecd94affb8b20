"""A script of TRL's `DPOTrainer` with one import changed: its numbers, and any objective."""

import math

import pytest

from mirrorpo import objectives
from mirrorpo.language import DPOTrainer
from mirrorpo.language.training.dpo_config import stated

from . import tiny

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
peft = pytest.importorskip("peft")

STEPS = 8
# What TRL's trainer logs of the pairs under the same names, to the same numbers.
SHARED = (
    *("loss", "grad_norm", "learning_rate", "epoch"),
    *("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"),
    *("logps/chosen", "logps/rejected"),
)


def script(trainer_class, folder, lora=False, more=None, **changes):
    """What a user's script does; the class is the one import that differs."""
    settings = tiny.arguments(folder, num_train_epochs=2, **changes)
    adapters = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    # TRL would look for the reference under the model's name, which this one has not.
    named = not lora and not settings.get("precompute_ref_log_probs")
    reference = tiny.model() if named and trainer_class is trl.DPOTrainer else None
    trainer = trainer_class(
        model=tiny.model(),
        ref_model=reference,
        args=trl.DPOConfig(**settings),
        train_dataset=tiny.dataset(),
        eval_dataset=tiny.dataset(tiny.ALIKE),
        processing_class=tiny.tokenizer(),
        **({"peft_config": adapters} if lora else {}),
        **(more or {}),
    )
    trainer.train()
    return trainer


LOSSES = [  # settings of the loss, and the objective that they state
    ({"beta": 0.3}, objectives.get("dpo", beta=0.3)),
    ({"beta": 0.4, "loss_type": "ipo"}, objectives.get("ipo", tau=0.4)),
    ({"beta": 0.3, "use_weighting": True}, objectives.get("wpo", beta=0.3, weights="free")),
    ({"beta": 2.0, "loss_type": "sigmoid_norm"}, objectives.get("dpo-norm", beta=2.0)),
    ({"loss_type": ["hinge"]}, objectives.get("hinge", beta=0.1)),
    ({"label_smoothing": 0.2}, objectives.get("cdpo", beta=0.1, label_smoothing=0.2)),
    (
        {"loss_type": "robust", "label_smoothing": 0.2},
        objectives.get("robust-dpo", beta=0.1, label_smoothing=0.2),
    ),
    (
        {"loss_type": "discopop", "beta": 0.2, "discopop_tau": 0.3},
        objectives.get("discopop", beta=0.2, tau=0.3),
    ),
    (
        {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7},
        objectives.get("fdpo", beta=0.1, divergence="alpha", alpha=0.3),
    ),
]


@pytest.mark.parametrize(("settings", "expected"), LOSSES, ids=lambda one: getattr(one, "name", ""))
def test_a_configuration_states_the_objective_of_its_loss(settings, expected, tmp_path):
    found = stated(trl.DPOConfig(**tiny.arguments(tmp_path, **settings)))
    assert type(found) is type(expected)
    assert {**vars(found)} == pytest.approx({**vars(expected)})


@pytest.mark.parametrize("settings", [one for one, _ in LOSSES[:3]], ids=["dpo", "ipo", "wpo"])
def test_without_an_objective_every_step_is_the_dpo_trainers(settings, tmp_path):
    ours, theirs = (script(found, tmp_path, **settings) for found in (DPOTrainer, trl.DPOTrainer))
    assert len(tiny.logged(theirs, "rewards/margins")) == STEPS
    for number in SHARED:
        logged, expected = tiny.logged(ours, number), tiny.logged(theirs, number)
        assert logged == pytest.approx(expected, rel=2e-4, abs=2e-6), number
    for weight, value in tiny.weights(ours).items():
        torch.testing.assert_close(value, tiny.weights(theirs)[weight], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_accumulation_steps": 2},
        {"precompute_ref_log_probs": True, "precompute_ref_batch_size": 3},
        {"lora": True},
        {"eval_strategy": "epoch", "lr_scheduler_type": "cosine", "warmup_steps": 3},
        {"max_length": 5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_do_what_they_do_in_trl(changes, tmp_path):
    ours, theirs = (
        script(found, tmp_path, beta=0.3, **changes) for found in (DPOTrainer, trl.DPOTrainer)
    )
    names = [*SHARED, *(f"eval_{name}" for name in SHARED if "/" in name or name == "loss")]
    for number in names:
        expected = tiny.logged(theirs, number)
        assert tiny.logged(ours, number) == pytest.approx(expected, rel=2e-4, abs=2e-6), number
    assert tiny.logged(ours, "loss")
    assert bool(tiny.logged(ours, "eval_loss")) == ("eval_strategy" in changes)


def test_accumulated_small_batches_are_the_big_batch(tmp_path):
    big, small = (
        tiny.trainer(
            "dpo",
            tmp_path,
            sft_stage=False,
            num_train_epochs=3,
            per_device_train_batch_size=8 // parts,
            gradient_accumulation_steps=parts,
        )
        for parts in (1, 4)
    )
    for made in (big, small):
        made.train()
    for name in ("loss", "rewards/margins", "logps/chosen"):
        assert tiny.logged(small, name) == pytest.approx(tiny.logged(big, name), rel=1e-4)
    for name, value in tiny.weights(small).items():
        torch.testing.assert_close(value, tiny.weights(big)[name], rtol=1e-3, atol=2e-5)


def test_tensorboard_shows_the_numbers_under_trls_names(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    script(DPOTrainer, tmp_path, max_steps=2, report_to=["tensorboard"], eval_strategy="epoch")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("events.out.tfevents*"))
    for name in SHARED:
        assert f"train/{name}".encode() in written or name == "epoch", name
    assert b"eval/rewards/margins" in written


def test_a_given_objective_is_trained_in_place_of_dpo(tmp_path, caplog):
    chosen = objectives.get("simpo", beta=2.0, gamma=0.8)
    ours = script(DPOTrainer, tmp_path, beta=0.05, more={"objective": chosen})
    plain = tiny.trainer(chosen, tmp_path, sft_stage=False, num_train_epochs=2)
    plain.train()
    assert tiny.logged(ours, "loss") == tiny.logged(plain, "loss")
    assert "beta=0.05 of DPOConfig is not used: the objective is simpo" in caplog.text


def test_a_subclass_states_its_objective_where_only_a_class_can_be_named(tmp_path):
    class Timed(DPOTrainer):
        objective = "ta-mpo"

    # As a launcher calls it that passes model and reference model by position.
    made = Timed(
        tiny.model(),
        None,
        args=trl.DPOConfig(**tiny.arguments(tmp_path)),
        train_dataset=tiny.dataset(),
        processing_class=tiny.tokenizer(),
    )
    made.train()
    assert tiny.logged(made, "weight/preference") == [0.0, 0.25, 0.5, 0.75]


def test_the_configuration_is_left_as_it_was(tmp_path):
    args = trl.DPOConfig(**tiny.arguments(tmp_path, loss_type="ipo"))
    before = dict(vars(args))
    DPOTrainer(
        tiny.model(), args=args, train_dataset=tiny.dataset(), processing_class=tiny.tokenizer()
    )
    assert vars(args) == before


REFUSED = [
    ({"sync_ref_model": True}, "sync_ref_model=True"),
    ({"activation_offloading": True}, "activation_offloading=True"),
    ({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}, r"loss_weights=\[1.0, 0.5\]"),
    ({"ld_alpha": 0.5}, "ld_alpha=0.5"),
    ({"label_smoothing": 0.1, "use_weighting": True}, "use_weighting=True"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_is_not_done_is_named_and_not_ignored(changes, said, tmp_path):
    with pytest.raises(ValueError, match=said) as caught:
        script(DPOTrainer, tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_arguments_that_are_not_taken_and_a_missing_objective_are_named(tmp_path):
    with pytest.raises(ValueError, match="does not take compute_metrics"):
        script(DPOTrainer, tmp_path, more={"compute_metrics": math.fsum})
    with pytest.raises(ValueError, match="No objective"):
        tiny.trainer(None, tmp_path)
