"""What a recipe asks for: its settings, pairs, model and tokenizer, and the trainer of them."""

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import yaml_settings
from mirrorpo.language.models import chat, loading, model_files, stand_ins
from mirrorpo.language.training import rows
from mirrorpo.language.training.record import Record
from mirrorpo.language.training.settings import PreferenceConfig
from mirrorpo.language.training.trainer import PreferenceTrainer
from mirrorpo.language.trl_names import datasets, peft, torch, transformers
from mirrorpo.objectives import Objective
from mirrorpo.preference_texts import formats, reading
from mirrorpo.preference_texts.reading import PreferenceTexts, Reading
from mirrorpo.progress import Progress

from .recipe import ALL_LINEAR, AlignRecipe


def settings(recipe: AlignRecipe, folder: Path) -> PreferenceConfig:
    """The training's settings, with checkpoints in `folder`.

    Raises:
        ValueError: an unknown setting, or a wrong value.
    """
    known = [item.name for item in dataclasses.fields(PreferenceConfig) if item.init]
    for name in sorted({*_NOT_OF_A_RECIPE} & {*recipe.training} - ({*_OLDER} & {*known})):
        raise ValueError(f"{name} is not a setting of a recipe: {_NOT_OF_A_RECIPE[name]}")
    yaml_settings.check_names(recipe.training, known, "A recipe")
    values = {
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
        **recipe.training,
        "output_dir": str(folder),
    }
    try:
        return PreferenceConfig(**values)
    except (TypeError, AttributeError, LookupError, ArithmeticError, ImportError) as error:
        # What transformers says of values that only it knows, such as those of a dictionary.
        said = " ".join(str(error).split())
        raise ValueError(f"The settings of the training cannot be used: {said:.300}") from error


_OLDER = {
    "evaluation_strategy": "write eval_strategy.",
    "group_by_length": "write train_sampling_strategy: group_by_length.",
    "max_prompt_length": "max_length holds for prompt and answer together, and long_prompts: drop "
    "leaves out pairs whose prompt fills it.",
    "no_cuda": "write use_cpu.",
    "warmup_ratio": "write warmup_steps, which takes a share below 1, too.",
}
"""Settings of older versions of TRL and `transformers`, and what to write in their place."""

_NOT_OF_A_RECIPE = {
    **_OLDER,
    "output_dir": "name the run folder by --out (from Python, out=).",
    "resume_from_checkpoint": "the same command with the same --out resumes by itself; to train a "
    "model further, name its folder as model_name_or_path.",
}
"""Settings of `transformers` that a run folder decides, and what to use in their place."""


@dataclass(frozen=True)
class RecipePairs:
    """A recipe's preference pairs; `test` is None where it names no test split."""

    train: PreferenceTexts
    test: PreferenceTexts | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader says of them, each sentence once."""
        return tuple(dict.fromkeys(note for part in self._parts for note in part.notes))

    @property
    def checksum(self) -> str:
        """The checksum of all pairs for training and testing, wherever they were read from."""
        told = [
            [(row.prompt, row.chosen, row.rejected, row.tools) for row in part.rows]
            for part in self._parts
        ]
        return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def _parts(self) -> list[PreferenceTexts]:
        return [self.train] + ([] if self.test is None else [self.test])


def pairs(recipe: AlignRecipe) -> RecipePairs:
    """Read and check a recipe's preference pairs.

    Raises:
        ValueError: a dataset that cannot be loaded, or a row that states no pair.
    """
    test = recipe.dataset_test_split
    return RecipePairs(
        split(recipe, recipe.dataset_train_split), None if test is None else split(recipe, test)
    )


def contents(recipe: AlignRecipe, data: RecipePairs | None) -> dict[str, str]:
    """Checksums of what a recipe names: its files may change while its text stays the same.

    Args:
        recipe: model and data.
        data: the data that `pairs` gives; None to read them, where they are on disk, and leave
            them out where they are not.

    Raises:
        ValueError: as `pairs`, or an adapter that does not name its base model.
    """
    if data is None and _on_disk(recipe.dataset_name):
        data = pairs(recipe)
    return {
        **model_files.contents(recipe.model_name_or_path),
        **({} if data is None else {recipe.dataset_name: data.checksum}),
    }


def trainer(
    recipe: AlignRecipe,
    objective: Objective,
    config: PreferenceConfig,
    data: RecipePairs,
    metrics: Path,
    report: Progress,
) -> PreferenceTrainer:
    """A trainer ready to train.

    Args:
        recipe: model and adapters.
        objective: the recipe's, made from its text.
        config: the config that `settings` gives.
        data: the data that `pairs` gives.
        metrics: a JSON-lines file, written with every log.
        report: told the steps done, all steps, and what is being done.

    Raises:
        ValueError: a model that cannot be loaded, and as `PreferenceTrainer`.
    """
    model, tokenizer = loading.load(recipe.model_name_or_path, dtype=recipe.dtype)
    chat.set_template(tokenizer, recipe.chat_template)
    made = PreferenceTrainer(
        model,
        objective,
        config,
        train_dataset=data.train,
        eval_dataset=data.test,
        processing_class=tokenizer,
        peft_config=_adapters(recipe),
        callbacks=[Record(metrics, report)],
    )
    made.remove_callback(transformers.PrinterCallback)
    return made


def split(recipe: AlignRecipe, name: str) -> PreferenceTexts:
    """A split of a recipe's preference pairs, from disk wherever its name is a path.

    Raises:
        ValueError: as `pairs`.
    """
    given = recipe.dataset_name
    how = Reading(
        recipe.dataset_format, recipe.dataset_columns, "dataset_format", "dataset_columns"
    )
    if given == stand_ins.NAME:
        return rows.checked(stand_ins.pairs(name), f"{given}, split {name}", 1)
    if _on_disk(given) or _is_path(given):
        return reading.read(Path(os.path.expanduser(given)), name, how)
    found = loading.loaded("dataset", given, lambda: datasets.load_dataset(given, split=name))
    return rows.checked(found, f"{given}, split {name}", 1, how)


def _on_disk(name: str) -> bool:
    return Path(os.path.expanduser(name)).exists()


def _is_path(name: str) -> bool:
    """Whether a name can only be a file's or a folder's: a hub's is NAME or OWNER/NAME."""
    begins = name.startswith((".", "~", os.sep))
    return begins or formats.kind(Path(name)) is not None or name.count("/") > 1 or "\\" in name


def _adapters(recipe: AlignRecipe) -> Any:
    if not recipe.lora_r:
        return None
    layers = recipe.lora_target_modules
    return peft.LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=ALL_LINEAR if layers == ALL_LINEAR else list(layers),
        task_type="CAUSAL_LM",
    )
