"""What is read from a collated batch and from a model's answer to it."""

from typing import Any

from mirrorpo.language.trl_names import torch


def without(batch: Any, side: str) -> dict[str, Any]:
    """A collated batch with no rows on one side."""
    return {key: value[:0] if key.startswith(side) else value for key, value in batch.items()}


def completion_lengths(labels: torch.Tensor) -> torch.Tensor:
    """Tokens of each completion, from labels of shape (batch, tokens); shape (batch,)."""
    return (labels[:, 1:] != -100).sum(-1)


@torch.no_grad()
def log_agreement(logits: torch.Tensor, labels: Any) -> torch.Tensor:
    """Log of ``sum_v pi(v)^2``, summed over each completion's tokens; shape (batch,).

    Args:
        logits: shape (batch, at least as many tokens as labels, vocabulary).
        labels: shape (batch, tokens), -100 where a token is not of the completion.
    """
    kept = labels[:, 1:] != -100
    log_probs = logits[:, : kept.shape[1]].float().log_softmax(-1)
    return (torch.logsumexp(2.0 * log_probs, dim=-1) * kept).sum(-1)
