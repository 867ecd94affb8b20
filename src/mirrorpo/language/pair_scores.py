"""How likely preference pairs are under a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import models
from .generation import as_prompt
from .sentiment_task.log_probs import measure
from .sentiment_task.texts import begun

_BATCH = 4


def mean_log_probs(name: str, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Log-probs of the chosen and rejected completions, given their prompts, means over tokens.

    A model with a chat template sees the prompt in it, any other as plain text.

    Args:
        name: of the model, as of `models.load`.
        rows: with prompt, chosen and rejected: texts, or lists of messages of which the last is
            the completion; without a prompt, the messages before it are.

    Returns:
        Shape (rows, 2), in nats.

    Raises:
        ValueError: the model cannot be loaded, or a pair is longer than it takes.
    """
    model, tokenizer = models.load(name)
    model = models.on_device(model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    prompts = [_prompt(tokenizer, row) for row in rows]
    columns = []
    for side in ("chosen", "rejected"):
        texts = [_completion(row[side]) for row in rows]
        _check_lengths(model, tokenizer, prompts, texts)
        columns.append(measure(model, tokenizer, prompts, texts, _BATCH).mean)
    return np.stack(columns, axis=1)


def _completion(value: Any) -> str:
    return value if isinstance(value, str) else str(value[-1]["content"])


def _prompt(tokenizer: Any, row: Mapping[str, Any]) -> str:
    given = row.get("prompt")
    if given is None:
        given = "" if isinstance(row["chosen"], str) else list(row["chosen"][:-1])
    if not isinstance(given, str):
        if tokenizer.chat_template is not None:
            return tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=True)
        given = "\n".join(str(message["content"]) for message in given)
    elif given and tokenizer.chat_template is not None:
        return as_prompt(tokenizer, given)
    # A text without a prompt still needs a token before it.
    return begun(tokenizer, [given])[0] or tokenizer.eos_token


def _check_lengths(
    model: Any, tokenizer: Any, prompts: Sequence[str], texts: Sequence[str]
) -> None:
    longest = getattr(model.config, "max_position_embeddings", None)
    for number, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        size = len(tokenizer(prompt + text, add_special_tokens=False)["input_ids"])
        if longest is not None and size > longest:
            raise ValueError(
                f"Pair {number} has {size} tokens, but the model takes {longest}: leave such pairs "
                "out, or name a model that takes longer texts."
            )
