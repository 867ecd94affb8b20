"""Logits of completions' tokens alone.

A model's last layer gives a number for every word of its vocabulary, which of a small model is
much of the work and most of the memory. Prompts and padding need none of them.
"""

from dataclasses import dataclass
from typing import Any

from mirrorpo.language.trl_names import torch

from .packing import Packing


@dataclass(frozen=True)
class CompletionLogits:
    """What a model gives for the tokens of a batch's completions.

    Attributes:
        logits: float32, shape (tokens of all completions, vocabulary).
        tokens: the tokens, shape (tokens of all completions,).
        wanted: where in the batch each was predicted, bool, shape (batch, positions).
        outputs: the model's other outputs.
    """

    logits: torch.Tensor
    tokens: torch.Tensor
    wanted: torch.Tensor
    outputs: Any

    def log_probs(self) -> torch.Tensor:
        """Log-probs of the completions, summed over their tokens, shape (batch,), in nats."""
        said = self.logits.gather(-1, self.tokens[:, None])[:, 0]
        return self._summed(said - self.logits.logsumexp(-1))

    @torch.no_grad()
    def log_agreement(self) -> torch.Tensor:
        """Log of ``sum_v pi(v)^2``, summed over each completion's tokens; shape (batch,)."""
        return self._summed(torch.logsumexp(2.0 * self.logits.log_softmax(-1), dim=-1))

    def _summed(self, values: torch.Tensor) -> torch.Tensor:
        empty = values.new_zeros(self.wanted.shape)
        return empty.masked_scatter(self.wanted, values).sum(-1)


def completion_logits(
    model: Any,
    ids: torch.Tensor,
    mask: torch.Tensor,
    labels: torch.Tensor,
    *,
    packing: Packing | None = None,
    **settings: Any,
) -> CompletionLogits:
    """Ask a model for the logits of completions' tokens.

    Args:
        model: a causal language model, also in the wrapper of a `peft` adapter or of a device.
        ids: token ids, shape (batch, tokens).
        mask: the attention mask, of the same shape.
        labels: ids, or -100 for a token that is of no completion, of the same shape.
        packing: in which the model sees the batch; None for as it is, with its padding.
        **settings: passed to the model's forward pass.
    """
    # The logits of a position are of the token after it.
    wanted = torch.zeros_like(labels, dtype=torch.bool)
    wanted[:, :-1] = labels[:, 1:] != -100
    if packing is None:
        at, shape = wanted.reshape(-1).nonzero()[:, 0], wanted.shape
        given, about = ids, {"attention_mask": mask}
    else:
        at, shape = packing.place[wanted], packing.source.shape
        given = ids.reshape(-1)[packing.source]
        about = {"position_ids": packing.positions}

    def only_wanted(_: Any, passed: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        states, *others = passed
        if states.shape[:2] != shape:
            return passed
        return (states.flatten(0, 1).index_select(0, at.to(states.device))[None], *others)

    head = _unwrapped(model).get_output_embeddings()
    hook = None if head is None else head.register_forward_pre_hook(only_wanted)
    try:
        outputs = model(given, **about, use_cache=False, **settings)
    finally:
        if hook is not None:
            hook.remove()
    logits = outputs.logits
    if logits.shape[:2] == shape:  # the model does not call its last layer as a module
        logits = logits.flatten(0, 1).index_select(0, at.to(logits.device))[None]
    device = logits.device
    tokens = labels[:, 1:][wanted[:, :-1]].to(device)
    # A sum over a long completion has no digits in half precision.
    return CompletionLogits(logits[0].float(), tokens, wanted.to(device), outputs)


def _unwrapped(model: Any) -> Any:
    """A model without what distributed training puts around it."""
    while not hasattr(model, "get_output_embeddings"):
        model = model.module
    return model
