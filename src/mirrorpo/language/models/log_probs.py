"""Log-probs of continuations under a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorpo.language.trl_names import torch

from .completion_logits import completion_logits


@dataclass(frozen=True)
class LogProbs:
    """Log-probs of texts under one model.

    Attributes:
        total: sum over each text's tokens, shape (texts,), in nats.
        tokens: number of tokens of each, shape (texts,); at least 1.
    """

    total: np.ndarray
    tokens: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over each text's tokens, shape (texts,)."""
        return self.total / self.tokens


@torch.inference_mode()
def measure(
    model: Any, tokenizer: Any, prompts: Sequence[str], texts: Sequence[str], batch: int = 32
) -> LogProbs:
    """Log-prob of each text as the continuation of its prompt, no end-of-text token counted.

    An empty text counts as one end-of-text token: it is what its model said.
    """
    model.eval()
    total, tokens = [], []
    for first in range(0, len(texts), batch):
        rows = [
            (_ids(tokenizer, prompt), _ids(tokenizer, text) or [tokenizer.eos_token_id])
            for prompt, text in zip(
                prompts[first : first + batch], texts[first : first + batch], strict=True
            )
        ]
        width = max(len(prompt) + len(text) for prompt, text in rows)
        ids = torch.full((len(rows), width), tokenizer.pad_token_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for row, (prompt, text) in enumerate(rows):
            end = len(prompt) + len(text)
            ids[row, :end] = torch.tensor([*prompt, *text])
            mask[row, :end] = 1
            labels[row, len(prompt) : end] = ids[row, len(prompt) : end]
        parts = (part.to(model.device) for part in (ids, mask, labels))
        total += completion_logits(model, *parts).log_probs().tolist()
        tokens += [len(text) for _, text in rows]
    return LogProbs(np.array(total), np.array(tokens))


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
