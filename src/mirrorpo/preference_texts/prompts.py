"""Prompts without answers: a file of texts or of conversations, checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import formats, json_texts, messages
from .messages import Message
from .place import Place, found, names
from .row import as_question, ends_with_a_question

COLUMNS = ("prompt", "messages", "instruction")
"""Where a row may hold its prompt; one of them does."""

ACCEPTED = ".txt, with one prompt per line, .jsonl, .json, .csv, .tsv, .parquet or .arrow"


@dataclass(frozen=True)
class Prompt:
    """What a model is asked, or what it continues.

    Attributes:
        said: a text, or a conversation that ends with a user's or a tool's message.
        place: where it stands.
    """

    said: str | tuple[Message, ...]
    place: Place

    @property
    def question(self) -> str:
        """It as one text: what the user says where that is all, else the messages as JSON."""
        return as_question(self.said)

    @property
    def plain(self) -> str | list[dict[str, Any]]:
        """It in a user's own hands: a text, or a list of new messages."""
        return self.said if isinstance(self.said, str) else [dict(one) for one in self.said]


def read(path: Path) -> tuple[Prompt, ...]:
    """All prompts of a file, in its order.

    Args:
        path: the path of a file that ends as one of `ACCEPTED`, also with .gz where it is text.
            A row has its prompt in
            one of `COLUMNS`, or in JSON is a text; it is a text, or a list of messages with role
            and content. Other columns are not looked at.

    Raises:
        ValueError: no such file, one that cannot be read, no prompts, a row without one or with
            one that is neither text nor conversation, or the same prompt twice. The message is one
            line and names file and row.
    """
    if not path.exists():
        raise ValueError(f"There is no file of prompts at {path}.")
    is_text = path.name.lower().removesuffix(formats.COMPRESSED).endswith(".txt")
    given = _lines(path) if is_text else _values(path)
    if not given:
        raise ValueError(f"{path} holds no prompts.")
    said: Counter[str] = Counter()
    rows = json_texts.unfolded(
        [(place, {"prompt": _own(row, place)}) for place, row in given], said
    )
    made = tuple(_prompt(place, row["prompt"], said) for place, row in rows)
    _no_repeats(made)
    return made


def _lines(path: Path) -> Sequence[tuple[Place, Any]]:
    text = formats.text(path)
    lines = enumerate(text.split("\n" if "\n" in text else "\r"), 1)
    kept = [(number, line.strip()) for number, line in lines if line.strip()]
    return [(Place(str(path), row, number), line) for row, (number, line) in enumerate(kept, 1)]


def _values(path: Path) -> Sequence[tuple[Place, Any]]:
    if formats.kind(path) is None:
        raise ValueError(f"{path} is not a file of prompts: its name must end in {ACCEPTED}.")
    return formats.values(path)


def _own(row: Any, place: Place) -> Any:
    """The value of a row that is its prompt."""
    if isinstance(row, str):
        return row
    if not isinstance(row, Mapping):
        raise ValueError(
            f'{place} is {found(row)}: a row is a text, or an object such as {{"prompt": ...}}.'
        )
    for name in (*messages.MEDIA, "tools"):
        if not messages.is_empty(row.get(name)):
            raise ValueError(
                f"{place}: {name} is {found(row[name])}, and a prompt is text alone. Remove the "
                "column if the texts stand without it."
            )
    own = [name for name in COLUMNS if row.get(name) is not None]
    if len(own) > 1:
        raise ValueError(
            f"{place} has {' and '.join(own)}: MirrorPO cannot decide which one is the prompt. "
            "Keep one."
        )
    if own:
        return row[own[0]]
    empty = next((name for name in COLUMNS if name in row), None)
    if empty is None:
        raise ValueError(f"{place} has no prompt: its columns are {names(row) or 'none'}.")
    raise ValueError(f"{place}: {empty} is null: every row needs its prompt.")


def _prompt(place: Place, value: Any, said: Counter[str]) -> Prompt:
    found_ = messages.side(value, "prompt", place, said)
    if isinstance(found_, str):
        if not found_.strip():
            raise ValueError(f"{place}: prompt is {found(value)}: every row needs its prompt.")
    else:
        ends_with_a_question(place, found_)
    return Prompt(found_, place)


def _no_repeats(prompts: Sequence[Prompt]) -> None:
    seen: dict[str, Place] = {}
    for one in prompts:
        key = one.question.strip()
        if key in seen:
            raise ValueError(
                f"{seen[key]} and {one.place.inside} have the same prompt: keep one, or the same "
                "prompt may be trained on and scored."
            )
        seen[key] = one.place
