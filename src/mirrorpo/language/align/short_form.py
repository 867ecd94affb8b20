"""A recipe's short form: four steps on the stand-ins for its model's architecture and its data."""

import dataclasses

from mirrorpo.language.models.chat import CHATML, NONE
from mirrorpo.language.models.stand_ins import NAME, standing_for
from mirrorpo.language.trl_names import torch

from .recipe import AlignRecipe

_SETTINGS = {
    "max_steps": 4,
    "max_length": 256,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "logging_steps": 1,
    "save_strategy": "steps",
    "save_steps": 2,
    "bf16": False,
    "fp16": False,
}


def shrink(recipe: AlignRecipe) -> AlignRecipe:
    """The same recipe, four steps long, on the stand-ins."""
    return dataclasses.replace(
        recipe,
        model_name_or_path=standing_for(recipe.model_name_or_path),
        dataset_name=NAME,
        dataset_test_split="test",
        dataset_format="auto",
        dataset_columns={},
        # The stand-in pairs are conversations, and the stand-in tokenizer has no template.
        chat_template=recipe.chat_template if recipe.chat_template not in (None, NONE) else CHATML,
        dtype="float32",
        lora_r=min(recipe.lora_r, 4),
        training={**recipe.training, **_SETTINGS, "use_cpu": not torch.cuda.is_available()},
    )
