"""What is read from a collated batch and from a model's answer to it."""

from dataclasses import dataclass
from typing import Any

from mirrorpo.language.models.completion_logits import CompletionLogits, completion_logits
from mirrorpo.language.trl_names import torch


@dataclass(frozen=True)
class Side:
    """What a model says of the chosen or of the rejected completions; each of shape (batch,).

    Attributes:
        log_probs: summed over each completion's tokens.
        agreement: see `CompletionLogits.log_agreement`; None where nobody asks for it.
    """

    log_probs: torch.Tensor
    agreement: torch.Tensor | None = None


def ask(model: Any, batch: Any, side: str, **settings: Any) -> CompletionLogits:
    """A model's answer to one side of a collated batch.

    The side is "chosen", "rejected", or "concatenated" of TRL's `concatenated_inputs`, which holds
    one after the other.
    """
    parts = (batch[f"{side}_{kind}"] for kind in ("input_ids", "attention_mask", "labels"))
    return completion_logits(model, *parts, **settings)


def both_sides(found: CompletionLogits, with_agreement: bool = False) -> tuple[Side, Side]:
    """Chosen and rejected side of an answer to both."""
    chosen, rejected = found.log_probs().chunk(2)
    if not with_agreement:
        return Side(chosen), Side(rejected)
    agreement = found.log_agreement().chunk(2)
    return Side(chosen, agreement[0]), Side(rejected, agreement[1])


def completion_lengths(labels: torch.Tensor) -> torch.Tensor:
    """Tokens of each completion, from labels of shape (batch, tokens); shape (batch,)."""
    return (labels[:, 1:] != -100).sum(-1)


def of_chosen(numbers: dict[str, Any]) -> dict[str, Any]:
    """Those numbers of `breakdown` that need no rejected completion."""
    needs = ("rejected", "margin", "accurac")
    return {
        name: value for name, value in numbers.items() if not any(part in name for part in needs)
    }
