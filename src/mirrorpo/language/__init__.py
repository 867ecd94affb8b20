"""Fine-tune language models with any objective, through TRL. Needs the extra ``llm``."""

from typing import TYPE_CHECKING

from mirrorpo import lazy

if TYPE_CHECKING:
    from .training.dpo_trainer import DPOTrainer
    from .training.settings import PreferenceConfig
    from .training.trainer import PreferenceTrainer

__all__ = ["DPOTrainer", "PreferenceConfig", "PreferenceTrainer"]

_HOMES = {
    "DPOTrainer": "training.dpo_trainer",
    "PreferenceConfig": "training.settings",
    "PreferenceTrainer": "training.trainer",
}

if not TYPE_CHECKING:  # to which a typing error of a name would be no error

    def __getattr__(name: str) -> object:
        """Load PyTorch and TRL only when one of the classes is used."""
        return lazy.attribute(__name__, _HOMES, name)
