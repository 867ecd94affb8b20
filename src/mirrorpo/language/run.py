"""What a recipe asks for: its settings, model, tokenizer, data, and the trainer of them."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, json_lines
from mirrorpo.divergence import finite_or_none
from mirrorpo.objectives import Objective

from . import models, stand_ins
from .recipe import AlignRecipe, check_names
from .settings import PreferenceConfig
from .trainer import PreferenceTrainer
from .trl_names import datasets, peft, torch, transformers

Report = Callable[[float, float, str], None]

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def settings(recipe: AlignRecipe, folder: Path) -> PreferenceConfig:
    """The training's settings, with checkpoints in `folder`.

    Raises:
        ValueError: an unknown setting, or a wrong value.
    """
    known = [item.name for item in dataclasses.fields(PreferenceConfig) if item.init]
    check_names(recipe.training, known, "A recipe")
    values = {
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
        **recipe.training,
        "output_dir": str(folder),
    }
    return PreferenceConfig(**values)


def trainer(
    recipe: AlignRecipe,
    objective: Objective,
    config: PreferenceConfig,
    metrics: Path,
    report: Report,
) -> PreferenceTrainer:
    """A trainer ready to train.

    Args:
        recipe: model, data and adapters.
        objective: the recipe's, made from its text.
        config: of `settings`.
        metrics: a JSON-lines file, written with every log.
        report: told the steps done, all steps, and what is being done.

    Raises:
        ValueError: a model or a dataset that cannot be loaded, and as `PreferenceTrainer`.
    """
    model, tokenizer = models.load(recipe.model_name_or_path, dtype=recipe.dtype)
    if recipe.chat_template is not None:
        given = recipe.chat_template
        tokenizer.chat_template = CHATML if given == "chatml" else given
    train = pairs(recipe, recipe.dataset_train_split)
    test = None if recipe.dataset_test_split is None else pairs(recipe, recipe.dataset_test_split)
    made = PreferenceTrainer(
        model,
        objective,
        config,
        train_dataset=train,
        eval_dataset=test,
        processing_class=tokenizer,
        peft_config=_adapters(recipe),
        callbacks=[Record(metrics, report)],
    )
    made.remove_callback(transformers.PrinterCallback)
    return made


def pairs(recipe: AlignRecipe, split: str) -> Any:
    """A split of a recipe's preference pairs; a file has the one split "train"."""
    name = recipe.dataset_name
    if name == stand_ins.NAME:
        return stand_ins.pairs(split)
    kinds = {".json": "json", ".jsonl": "json", ".parquet": "parquet"}
    kind = kinds.get(Path(name).suffix)

    def load() -> Any:
        if kind is not None:
            return datasets.load_dataset(kind, data_files=name, split=split)
        if os.path.isdir(name):
            found = datasets.load_from_disk(name)
            return found[split] if isinstance(found, dict) else found
        return datasets.load_dataset(name, split=split)

    return models.loaded("dataset", name, load)


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end, or None."""
    # The state is the last file of a checkpoint to be written, but not whole or not at all.
    states = [*folder.glob("checkpoint-*/trainer_state.json")]
    for path in sorted(states, key=_steps, reverse=True):
        try:
            files.read_object(path, "a checkpoint's state")
        except ValueError:
            continue
        return str(path.parent)
    return None


def _steps(state: Path) -> int:
    number = state.parent.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1


def _adapters(recipe: AlignRecipe) -> Any:
    if not recipe.lora_r:
        return None
    return peft.LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_target_modules),
        task_type="CAUSAL_LM",
    )


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log; JSON has no NaN, and null is no number either."""
    return {
        name: finite_or_none(value) if isinstance(value, float) else value
        for name, value in row.items()
    }


class Record(transformers.TrainerCallback):
    """Reports steps, and keeps a JSON-lines file equal to the log, after a resume as well. A number
    that is not finite is null there."""

    def __init__(self, path: Path, report: Report):
        self._path = path
        self._report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._report(state.global_step, state.max_steps, "Training")

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            json_lines.write(self._path, [_as_json(row) for row in state.log_history])
