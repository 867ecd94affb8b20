"""Fine-tune language models with any objective, through TRL. Needs the extra ``llm``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .settings import PreferenceConfig
    from .trainer import PreferenceTrainer

__all__ = ["PreferenceConfig", "PreferenceTrainer"]


def __getattr__(name: str) -> Any:
    """Load PyTorch and TRL only when one of the two classes is used."""
    if name == "PreferenceConfig":
        from .settings import PreferenceConfig

        return PreferenceConfig
    if name == "PreferenceTrainer":
        from .trainer import PreferenceTrainer

        return PreferenceTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
