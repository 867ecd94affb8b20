"""Continuations of prompts: drawn from a model as it is, and cut after their last sentence."""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mirrorpo.language.generation import Decoding, complete

_END = re.compile(r"[.!?][\"')]*(?=\s|$)")


def whole_sentences(text: str) -> str:
    """A text up to the end of its last whole sentence, or of its first line if it has several.

    A text without the end of a sentence stays as it is.
    """
    first = text.lstrip("\n")
    line = first.partition("\n")[0]
    ends = [found.end() for found in _END.finditer(line)]
    return line[: ends[-1]] if ends else line


def begun(tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    """Prompts with the token that begins every text, written out, where the tokenizer adds one.

    So sampling, training and measuring see the same tokens, whatever each adds of its own.
    """
    first = tokenizer("a")["input_ids"][0]
    begin = tokenizer.bos_token if first == tokenizer.bos_token_id else ""
    return [f"{begin}{prompt}" for prompt in prompts]


def draw(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    max_new_tokens: int,
    batch_size: int,
    seed: int,
    path: Path,
    report: Callable[[int, int], None],
) -> list[str]:
    """One continuation of each prompt, sampled at temperature 1 from all tokens.

    Arguments as of `generation.complete`, which goes on after an interruption. Prompts are `begun`.
    """
    decoding = Decoding(max_new_tokens, 1.0, 1.0, batch_size, seed)
    found = complete(model, tokenizer, prompts, decoding, path, report)
    return [whole_sentences(text) for text in found]


def cycle(prompts: Sequence[str], count: int) -> list[str]:
    """`count` prompts: these, over and over."""
    return list(itertools.islice(itertools.cycle(prompts), count))
