"""Fine-tune language models with any objective, through TRL. Needs the extra ``llm``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dpo_trainer import DPOTrainer
    from .settings import PreferenceConfig
    from .trainer import PreferenceTrainer

__all__ = ["DPOTrainer", "PreferenceConfig", "PreferenceTrainer"]


def __getattr__(name: str) -> Any:
    """Load PyTorch and TRL only when one of the classes is used."""
    if name == "DPOTrainer":
        from .dpo_trainer import DPOTrainer

        return DPOTrainer
    if name == "PreferenceConfig":
        from .settings import PreferenceConfig

        return PreferenceConfig
    if name == "PreferenceTrainer":
        from .trainer import PreferenceTrainer

        return PreferenceTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
