"""Fine-tune language models with any objective, through TRL. Needs the extra ``llm``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .training.dpo_trainer import DPOTrainer
    from .training.settings import PreferenceConfig
    from .training.trainer import PreferenceTrainer

__all__ = ["DPOTrainer", "PreferenceConfig", "PreferenceTrainer"]


def __getattr__(name: str) -> Any:
    """Load PyTorch and TRL only when one of the classes is used."""
    if name == "DPOTrainer":
        from .training.dpo_trainer import DPOTrainer

        return DPOTrainer
    if name == "PreferenceConfig":
        from .training.settings import PreferenceConfig

        return PreferenceConfig
    if name == "PreferenceTrainer":
        from .training.trainer import PreferenceTrainer

        return PreferenceTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
