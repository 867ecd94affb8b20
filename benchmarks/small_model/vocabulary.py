"""A small vocabulary out of the teacher's: the tokens that its texts use most."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import models

from mirrorpo import files

ENDS_TEXT = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", ENDS_TEXT)
_CONFIG = "tokenizer_config.json"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that stay.

    Attributes:
        tokens: the new number of each token that stays, from 0.
        merges: pairs of tokens that are joined to one, in the teacher's order.
        pieces: for each token of the teacher, by its number, the new numbers that spell it.
    """

    tokens: dict[str, int]
    merges: list[tuple[str, str]]
    pieces: list[list[int]]


def choose(teacher: Path, seen: Iterable[int], size: int) -> Vocabulary:
    """The tokens that are seen most, with those that they are merged from.

    Args:
        teacher: folder of the teacher's tokenizer, which is byte-level BPE.
        seen: token ids, each as often as it is used.
        size: the most tokens.
    """
    content = files.read_json(teacher / "tokenizer.json", "a tokenizer")["model"]
    numbers, merges = content["vocab"], [tuple(pair) for pair in content["merges"]]
    names = {number: name for name, number in numbers.items()}
    whole = models.BPE(vocab=numbers, merges=merges)
    makers = {first + second: (first, second) for first, second in reversed(merges)}
    single = [name for name in numbers if len(name) == 1]
    kept = {*SPECIAL, *single}
    for number, _ in Counter(seen).most_common():
        name = names[number]
        needed = {name} if name in SPECIAL else _derivation(name, makers, whole)
        if len(kept | needed) <= size:
            kept |= needed
    ordered = sorted(kept, key=numbers.__getitem__)
    tokens = {name: place for place, name in enumerate(ordered)}
    left = [(a, b) for a, b in merges if a in kept and b in kept and a + b in kept]
    small = models.BPE(vocab=tokens, merges=left)
    pieces = [
        [tokens[names[number]]]
        if names[number] in tokens
        else [piece.id for piece in small.tokenize(names[number])]
        for number in range(len(names))
    ]
    return Vocabulary(tokens, left, pieces)


def save(vocabulary: Vocabulary, teacher: Path, folder: Path) -> None:
    """Write the tokenizer with the teacher's way to split and to join."""
    whole = files.read_json(teacher / "tokenizer.json", "a tokenizer")
    whole["model"]["vocab"] = vocabulary.tokens
    whole["model"]["merges"] = [list(pair) for pair in vocabulary.merges]
    whole["added_tokens"] = [
        {**token, "id": vocabulary.tokens[token["content"]]}
        for token in whole["added_tokens"]
        if token["content"] in SPECIAL
    ]
    files.write_text(folder / "tokenizer.json", json.dumps(whole, ensure_ascii=False))
    config = files.read_json(teacher / _CONFIG, "a tokenizer's settings")
    files.write_json(folder / _CONFIG, {**config, "clean_up_tokenization_spaces": False})


def _derivation(name: str, makers: dict[str, tuple[str, str]], whole: models.BPE) -> set[str]:
    """A token and all that it is merged from, down to single signs."""
    if len(name) == 1 or name not in makers or len(whole.tokenize(name)) != 1:
        return {name}
    first, second = makers[name]
    return {name} | _derivation(first, makers, whole) | _derivation(second, makers, whole)
