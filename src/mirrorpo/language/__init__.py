"""Fine-tune language models with any objective, through TRL. Needs the extra ``llm``."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .training.dpo_trainer import DPOTrainer
    from .training.settings import PreferenceConfig
    from .training.trainer import PreferenceTrainer

__all__ = ["DPOTrainer", "PreferenceConfig", "PreferenceTrainer"]

_HOMES = {
    "DPOTrainer": "dpo_trainer",
    "PreferenceConfig": "settings",
    "PreferenceTrainer": "trainer",
}

if not TYPE_CHECKING:  # to which a typing error of a name would be no error

    def __getattr__(name: str) -> object:
        """Load PyTorch and TRL only when one of the classes is used."""
        if name in _HOMES:
            return getattr(importlib.import_module(f"{__name__}.training.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
