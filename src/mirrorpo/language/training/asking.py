"""How a trainer asks its model about a collated batch: padded, or free of padding."""

import inspect
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from mirrorpo.language.models.completion_logits import CompletionLogits, completion_logits
from mirrorpo.language.models.packing import Packing
from mirrorpo.language.trl_names import torch

INSTEAD = (
    "leave padding_free out; train_sampling_strategy='group_by_length' saves padding with any model"
)
"""What an error tells the user to do."""

_LAYERS = ("full_attention", "sliding_attention")
"""Kinds of layers that see a sequence's end from positions that begin again."""

# In nats per token. Rounding in float32 stays far below the first, in half precision below the
# second; a sequence that sees another one, or a wrong position, changes a trained model by more.
_ROUNDING, _ROUNDING_IN_HALF = 1e-3, 0.1


class Asking:
    """Asks a model for the logits of a batch's completions.

    Free of padding, each model is first asked about two sequences both ways, and training stops
    where its answers differ.

    Args:
        models: the policy, and the reference where it is another model, or None; they are looked
            at and not kept.
        args: the `PreferenceConfig`, whose `padding_free` says whether sequences share rows.
        has_router: whether the model, a mixture of experts, is trained on its router's loss.

    Raises:
        ValueError: `padding_free=True` with a model that cannot keep the sequences of a row apart.
    """

    def __init__(self, models: Sequence[Any], args: Any, has_router: bool):
        given = [model for model in models if model is not None]
        for model in given if args.padding_free else ():
            if (fault := _fault(model)) is not None:
                name = type(model).__name__
                raise ValueError(f"padding_free=True does not go with {name}, {fault}: {INSTEAD}.")
        self._padding_free = args.padding_free
        self._compared: WeakSet[Any] = WeakSet()
        # What accelerate computes in half precision, it hands out in float32.
        is_half = args.bf16 or args.fp16 or args.tf32 or given[0].dtype != torch.float32
        self._rounding = _ROUNDING_IN_HALF if is_half else _ROUNDING
        attention = [str(getattr(model.config, "_attn_implementation", "")) for model in given]
        # Flash attention finds the sequences of one row alone, and takes no time for what lies
        # between them. A router's loss is over all tokens, and so over those that fill a row up.
        self._in_one_row = any("flash" in one for one in attention) or has_router

    def __call__(self, model: Any, batch: Any, side: str, **settings: Any) -> CompletionLogits:
        """A model's answer to one side of a collated batch.

        The side is "chosen", "rejected", or "concatenated" of TRL's `concatenated_inputs`, which
        holds one after the other.

        Raises:
            ValueError: the model's answer is another one without padding.
        """
        kinds = ("input_ids", "attention_mask", "labels")
        ids, mask, labels = (batch[f"{side}_{kind}"] for kind in kinds)
        if not self._padding_free:
            return completion_logits(model, ids, mask, labels, **settings)
        if model not in self._compared:
            self._compared.add(model)
            self._compare(model, ids, mask, labels)
        packing = Packing.of(mask, self._in_one_row)
        return completion_logits(model, ids, mask, labels, packing=packing, **settings)

    @torch.no_grad()
    def _compare(self, model: Any, *parts: torch.Tensor) -> None:
        # Two sequences whatever the batch: all processes must ask equally often.
        ids, mask, labels = (part[:2] if len(part) > 1 else part.repeat(2, 1) for part in parts)
        training = model.training
        model.eval()
        try:
            padded = completion_logits(model, ids, mask, labels)
            shared = Packing.of(mask, in_one_row=True)
            packed = completion_logits(model, ids, mask, labels, packing=shared)
        finally:
            model.train(training)
        lengths = padded.wanted.sum(-1).clamp(min=1)
        apart = ((packed.log_probs() - padded.log_probs()).abs() / lengths).max().item()
        if apart > self._rounding:
            raise ValueError(
                f"padding_free=True changes this model's log-probs by up to {apart:.2g} nats per "
                f"token, so it does not keep the sequences of a row apart: {INSTEAD}."
            )


def _fault(model: Any) -> str | None:
    """Why a model cannot keep sequences apart that share a row; None where nothing is known."""
    adapters = getattr(model, "peft_config", {}).values()
    if any(getattr(one, "is_prompt_learning", False) for one in adapters):
        return "whose adapters put a prompt of their own before each row"
    own = model.get_base_model() if adapters else model
    config = own.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or _LAYERS)
    if other := sorted(kinds - set(_LAYERS)):
        return f"whose layers of the kind {other[0]} are not known to keep sequences apart"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "whose attention counts its chunks from the beginning of a row"
    if getattr(own, "_is_stateful", False):
        return "which carries its state from one sequence to the next"
    if "position_ids" not in inspect.signature(own.forward).parameters:
        return "which takes no positions"
    return None
