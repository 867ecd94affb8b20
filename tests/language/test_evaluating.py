"""What hangs on evaluations and batches is there, and is about one objective."""

import pytest

from . import tiny

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language import PreferenceConfig
from mirrorpo.language.align import recipe as recipes
from mirrorpo.language.align import run

FEW = tiny.PAIRS[:3]


@pytest.mark.parametrize(
    ("evaluated", "changes", "message"),
    [
        (None, {"eval_strategy": "steps", "eval_steps": 1}, "eval_strategy is steps, but there "),
        (None, {"eval_strategy": "epoch"}, r"pass an eval_dataset \(in a recipe, dataset_test_spl"),
        (None, {"eval_on_start": True}, "eval_on_start is True, but there are no pairs"),
        (FEW, {"save_strategy": "best"}, "save_strategy is best, but nothing is evaluated"),
        (
            None,
            {"dataloader_drop_last": True, "per_device_train_batch_size": 9},
            "leaves no batch of the 8 pairs, as a step takes 9: lower per_device_train_batch_size",
        ),
        (
            FEW,
            {"dataloader_drop_last": True, "per_device_eval_batch_size": 4},
            "leaves no batch of the 3 pairs, as a step takes 4: lower per_device_eval_batch_size",
        ),
    ],
)
def test_what_would_evaluate_save_or_train_nothing_is_one_line(
    evaluated, changes, message, tmp_path
):
    with pytest.raises(ValueError, match=message) as caught:
        tiny.trainer("ta-mpo", tmp_path, evaluated=evaluated, **changes)
    assert "\n" not in str(caught.value)


BEST = {
    "eval_strategy": "steps",
    "eval_steps": 1,
    "save_strategy": "steps",
    "save_steps": 1,
    "load_best_model_at_end": True,
}


def test_a_metric_that_no_evaluation_logs_is_one_line(tmp_path):
    made = tiny.trainer("ta-mpo", tmp_path, evaluated=FEW, metric_for_best_model="f1", **BEST)
    with pytest.raises(ValueError, match=r"metric_for_best_model is 'f1', but .*loss") as caught:
        made.train()
    assert "\n" not in str(caught.value)


def test_transformers_own_messages_are_one_line_too(tmp_path):
    given = tiny.arguments(tmp_path, load_best_model_at_end=True, save_strategy="steps")
    with pytest.raises(ValueError, match="save and eval strategy to match") as caught:
        PreferenceConfig(**given)
    assert "\n" not in str(caught.value)


def test_the_best_checkpoint_is_the_best_of_the_objective_and_not_of_the_stage_before(tmp_path):
    """The loss of SFT falls far below the one that follows: it must not win."""
    made = tiny.trainer(
        "simpo",
        tmp_path,
        evaluated=FEW,
        num_train_epochs=4,
        metric_for_best_model="loss",
        learning_rate=0.0,
        greater_is_better=True,
        **BEST,
    )
    made.train()
    start = made._plan(made.state.max_steps)[-1].start
    losses = {row["step"]: row["eval_loss"] for row in made.state.log_history if "eval_loss" in row}
    assert max(losses[step] for step in losses if step < start) > losses[start]
    assert made.state.best_global_step >= start


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("group_by_length", True, "write train_sampling_strategy: group_by_length"),
        ("warmup_ratio", 0.1, "write warmup_steps, which takes a share"),
        ("max_prompt_length", 100, "long_prompts: drop"),
    ],
)
def test_a_setting_of_older_versions_says_what_to_write_now(name, value, message, tmp_path):
    recipe = recipes.AlignRecipe(
        model_name_or_path="smoke", dataset_name="smoke", objective="dpo", training={name: value}
    )
    if name in PreferenceConfig.__dataclass_fields__:  # with an older transformers
        assert getattr(run.settings(recipe, tmp_path), name) == value
        return
    with pytest.raises(ValueError, match=f"{name} is not a setting of a recipe: .*{message}"):
        run.settings(recipe, tmp_path)
