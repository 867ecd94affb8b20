"""How likely preference pairs are under a language model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirrorpo.preference_texts.row import PreferenceRow

from . import loading, log_probs
from .chat import begun, render

_BATCH = 4


def mean_log_probs(name: str, rows: Sequence[PreferenceRow]) -> np.ndarray:
    """Log-probs of the chosen and rejected answers, given their prompts, means over tokens.

    A model reads them as in training: by its chat template, where it has one; see `chat`.

    Args:
        name: the name of the model, as of `loading.load`.
        rows: the rows of the reader, `preference_texts.reading`.

    Returns:
        Shape (rows, 2), in nats.

    Raises:
        ValueError: the model cannot be loaded, its template does not take a row, or a pair is
            longer than it takes.
    """
    model, tokenizer = loading.load(name)
    model = loading.on_device(model)
    written = [render(tokenizer, row) for row in rows]
    prompts = [begun(tokenizer, part.prompt) for part in written]
    columns = []
    for texts in ([part.chosen for part in written], [part.rejected for part in written]):
        _check_lengths(model, tokenizer, rows, prompts, texts)
        columns.append(log_probs.measure(model, tokenizer, prompts, texts, _BATCH).mean)
    return np.stack(columns, axis=1)


def _check_lengths(
    model: Any,
    tokenizer: Any,
    rows: Sequence[PreferenceRow],
    prompts: Sequence[str],
    texts: Sequence[str],
) -> None:
    longest = getattr(model.config, "max_position_embeddings", None)
    for row, prompt, text in zip(rows, prompts, texts, strict=True):
        size = len(tokenizer(prompt + text, add_special_tokens=False)["input_ids"])
        if longest is not None and size > longest:
            raise ValueError(
                f"{row.place} has {size} tokens, but the model takes {longest}: leave such pairs "
                "out, or name a model that takes longer texts."
            )
