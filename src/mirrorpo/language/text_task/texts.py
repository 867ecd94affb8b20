"""Continuations of prompts: drawn from a model as it is, and cut after their last sentence."""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mirrorpo.language.models import chat
from mirrorpo.language.models.generation import Decoding, complete, without_turn_end
from mirrorpo.preference_texts.prompts import Prompt

Item = TypeVar("Item")

_END = re.compile(r"[.!?][\"')]*(?=\s|$)")


def whole_sentences(text: str) -> str:
    """A text up to the end of its last whole sentence; one without an end stays as it is."""
    ends = [found.end() for found in _END.finditer(text)]
    return text[: ends[-1]] if ends else text


def first_line(text: str) -> str:
    """A text's first line that is not empty."""
    return text.lstrip("\n").partition("\n")[0]


def begun(tokenizer: Any, prompts: Sequence[Prompt]) -> list[str]:
    """Prompts as a model reads them: conversations by its chat template, texts as they are.

    They begin with the token that begins every text, written out, where the tokenizer adds one.
    So sampling, training and measuring see the same tokens, whatever each adds of its own.

    Raises:
        ValueError: a conversation, and the tokenizer has no chat template, or one that fails.
    """
    first = tokenizer("a")["input_ids"][0]
    begin = tokenizer.bos_token if first == tokenizer.bos_token_id else ""
    texts = [_asked(tokenizer, prompt) for prompt in prompts]
    return [text if text.startswith(begin) else f"{begin}{text}" for text in texts]


def _asked(tokenizer: Any, prompt: Prompt) -> str:
    if isinstance(prompt.said, str):
        return prompt.said
    if tokenizer.chat_template is None:
        raise ValueError(
            f"{prompt.place} is a conversation, but the model has no chat template to write it by: "
            "name a model that has one, or write prompts as texts."
        )
    return chat.templated(tokenizer, prompt.place, prompt.said, add_generation_prompt=True)


def draw(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    max_new_tokens: int,
    batch_size: int,
    seed: int,
    path: Path,
    report: Callable[[int, int], None],
    are_openings: bool,
) -> list[str]:
    """One continuation of each prompt, sampled at temperature 1 from all tokens.

    Args:
        model: the model that writes.
        tokenizer: the tokenizer of the model.
        prompts: as `begun` gives them.
        max_new_tokens: the most tokens of a continuation.
        batch_size: continuations at once.
        seed: the seed of the samples.
        path: JSON lines for the continuations; resumes from there after an interruption.
        report: called with (continuations drawn, all).
        are_openings: cut each after the last whole sentence of its line. Others are cut after
            their last whole sentence where they reach `max_new_tokens`, and end else as they are.
    """
    decoding = Decoding(max_new_tokens, 1.0, 1.0, batch_size, seed)
    found = complete(model, tokenizer, prompts, decoding, path, report)
    if are_openings:
        return [whole_sentences(first_line(text)) for text in found]
    turns = [without_turn_end(tokenizer, text) for text in found]
    return [_ended(tokenizer, text, max_new_tokens) for text in turns]


def _ended(tokenizer: Any, text: str, most: int) -> str:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return whole_sentences(text) if len(ids) >= most else text


def cycle(prompts: Sequence[Item], count: int) -> list[Item]:
    """`count` prompts: these, over and over."""
    return list(itertools.islice(itertools.cycle(prompts), count))
