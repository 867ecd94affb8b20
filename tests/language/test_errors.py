"""One clear line for each mistake."""

import dataclasses

import numpy as np
import pytest

from . import tiny

pytest.importorskip("torch")
pytest.importorskip("datasets")
pytest.importorskip("transformers")

import datasets
import transformers

from mirrorpo.language import PreferenceConfig, PreferenceTrainer


def one_line(caught):
    assert "\n" not in str(caught.value)


def made(tmp_path, dataset, objective="ta-mpo", **changes):
    return PreferenceTrainer(
        tiny.model(),
        objective,
        PreferenceConfig(**tiny.arguments(tmp_path, **changes)),
        train_dataset=dataset,
        processing_class=tiny.tokenizer(),
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"prompt": "1", "chosen": " 2", "worse": " 3"}],
            r"train_dataset has no column rejected: .*this one has prompt, chosen, worse",
        ),
        ([{"text": "1"}], "no column prompt and no column chosen and no column rejected"),
        ([{"chosen": "1 2", "rejected": "1 3"}], "train_dataset has no column prompt"),
    ],
)
def test_a_dataset_without_the_columns(rows, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        made(tmp_path, datasets.Dataset.from_list(rows))
    one_line(caught)


@pytest.mark.parametrize("dataset", [None, [{"prompt": "1"}], "some/name"])
def test_something_else_than_a_dataset(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"train_dataset is a .*takes a datasets\.Dataset"):
        made(tmp_path, dataset)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("tr-dpo", "tr-dpo moves its reference policy .*: take dpo, or TRL's DPOTrainer"),
        ("mixdpo", "mixdpo orders the pairs .*Take slic-filtered, or dpo"),
    ],
)
def test_an_objective_that_declares_what_texts_do_not_have(objective, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        made(tmp_path, tiny.dataset(), objective)
    one_line(caught)


def test_a_stream_of_pairs(tmp_path):
    with pytest.raises(ValueError, match="train_dataset is a IterableDataset"):
        made(tmp_path, tiny.dataset().to_iterable_dataset())


def test_an_empty_dataset(tmp_path):
    with pytest.raises(ValueError, match="train_dataset has no rows"):
        made(tmp_path, tiny.dataset().select([]))


def test_an_evaluation_dataset_is_checked_too(tmp_path):
    with pytest.raises(ValueError, match="eval_dataset has no column rejected"):
        PreferenceTrainer(
            tiny.model(),
            "ta-mpo",
            PreferenceConfig(**tiny.arguments(tmp_path)),
            train_dataset=tiny.dataset(),
            eval_dataset=tiny.dataset().remove_columns("rejected"),
            processing_class=tiny.tokenizer(),
        )


LONG = [*tiny.PAIRS[:2], (" ".join(["1"] * 12), "2", "3"), tiny.PAIRS[2]]


def test_a_prompt_longer_than_the_limit(tmp_path):
    with pytest.raises(
        ValueError, match=r"prompt of row 2 .*limit of 12 tokens.*long_prompts='drop'"
    ) as caught:
        tiny.trainer("ta-mpo", tmp_path, pairs=LONG, max_length=12)
    one_line(caught)


def test_several_prompts_longer_than_the_limit_are_counted(tmp_path):
    with pytest.raises(ValueError, match=r"prompt of row 2 \(and of 1 more\) fills"):
        tiny.trainer("ta-mpo", tmp_path, pairs=[*LONG, LONG[2]], max_length=12)


def test_long_prompts_can_be_left_out(tmp_path):
    trainer = tiny.trainer("dpo", tmp_path, pairs=LONG, max_length=12, long_prompts="drop")
    assert trainer.train_dataset.num_rows == 3
    assert trainer.train_dataset["row"][:] == [0, 1, 2]


def test_no_prompt_short_enough(tmp_path):
    with pytest.raises(ValueError, match="no prompt leaves room for a completion in 1 tokens"):
        tiny.trainer("dpo", tmp_path, max_length=1, long_prompts="drop")


def test_a_reference_of_data_that_the_trainer_has_not_seen(tmp_path):
    trainer = tiny.trainer("dpo", tmp_path, sft_stage=False)
    other = trainer.train_dataset.remove_columns("row")
    with pytest.raises(ValueError, match="dpo compares the policy with a reference") as caught:
        trainer.evaluate(other)
    one_line(caught)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aggregation": "average"}, "aggregation is 'average', but must be 'objective' or 'sum'"),
        ({"long_prompts": "cut"}, "long_prompts is 'cut', but must be 'error' or 'drop'"),
        ({"beta": 0.05}, r"does not take beta: .*objectives\.get\('cpo', beta=0\.05\)"),
        ({"loss_type": "simpo", "simpo_gamma": 1.0}, "does not take loss_type, simpo_gamma"),
        ({"learning_rate": 0.0, "sft_learning_rate": 1e-5}, "needs a learning_rate above 0"),
        (
            {"seed": 2**31},
            r"seed must be between 0 and 2\*\*31 - 1 = 2,147,483,647, not 2147483648",
        ),
        ({"data_seed": 2**32 - 1}, "data_seed must be between 0 and"),
        ({"seed": -1}, "seed must be between 0 and"),
    ],
)
def test_wrong_settings(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        PreferenceConfig(**tiny.arguments(tmp_path, **settings))
    one_line(caught)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("ta-mop", r"Unknown objective 'ta-mop'\. Did you mean .*ta-mpo"),
        (3, "objective is a int: pass an Objective"),
    ],
)
def test_an_unknown_objective(objective, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        tiny.trainer(objective, tmp_path)


def test_a_missing_objective_file(tmp_path):
    with pytest.raises(ValueError, match=r"No such file: '.*found\.json'\."):
        tiny.trainer(str(tmp_path / "found.json"), tmp_path)


def test_settings_of_another_trainer(tmp_path):
    arguments = transformers.TrainingArguments(output_dir=str(tmp_path), report_to=[])
    with pytest.raises(ValueError, match="args is a TrainingArguments: pass a PreferenceConfig"):
        PreferenceTrainer(tiny.model(), "dpo", arguments, train_dataset=tiny.dataset())


def test_nothing_to_resume_from(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint to resume from"):
        tiny.trainer("ta-mpo", tmp_path).train(resume_from_checkpoint=True)


def test_a_schedule_that_cannot_be_split_into_stages(tmp_path):
    trainer = tiny.trainer(
        "dpo",
        tmp_path,
        num_train_epochs=2,
        lr_scheduler_type="reduce_lr_on_plateau",
        eval_strategy="epoch",
        evaluated=tiny.ALIKE,
    )
    with pytest.raises(ValueError, match="cannot be used in stages"):
        trainer.train()


def test_an_encoder_decoder_model(tmp_path):
    config = transformers.T5Config(
        vocab_size=24, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    with pytest.raises(ValueError, match="is not a causal language model"):
        tiny.trainer("dpo", tmp_path, policy=transformers.T5ForConditionalGeneration(config))


@pytest.mark.parametrize("model", [None, 5, ["name"], {}])
def test_something_else_than_a_model(model, tmp_path):
    given = {"args": PreferenceConfig(**tiny.arguments(tmp_path)), "train_dataset": tiny.dataset()}
    with pytest.raises(ValueError, match=r"model is .*, but must be a causal language model"):
        PreferenceTrainer(model, "dpo", **given)
    if model is not None:
        with pytest.raises(ValueError, match=r"ref_model is .*, but must be a loaded model"):
            PreferenceTrainer(tiny.model(), "dpo", ref_model=model, **given)


def test_settings_can_be_settled_again(tmp_path):
    """transformers makes other kinds of some values; a copy of the settings takes those."""
    settings = PreferenceConfig(
        **tiny.arguments(tmp_path, report_to="none", save_total_limit=np.int64(2))
    )
    assert type(settings.save_total_limit) is int
    again = dataclasses.replace(settings, learning_rate=0.5)
    assert again.learning_rate == 0.5
    with pytest.raises(ValueError, match="learning_rate is 'abc', but must be a number"):
        dataclasses.replace(settings, learning_rate="abc")


def test_resuming_from_a_damaged_checkpoint(tmp_path):
    tiny.trainer("dpo", tmp_path, sft_stage=False, save_strategy="steps", save_steps=2).train()
    path = tmp_path / "checkpoint-2" / "optimizer.pt"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"checkpoint-2 is damaged .optimizer\.pt is cut"):
        tiny.trainer("dpo", tmp_path, sft_stage=False).train(str(tmp_path / "checkpoint-2"))
