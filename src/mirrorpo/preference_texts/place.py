"""Where a row stands, and how values are shown in messages: short, and on one line."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 60
_LONGEST_LIST = 240
_LARGE = 10**20


@dataclass(frozen=True)
class Place:
    """A row's place.

    Attributes:
        source: the file, or what the rows come from.
        row: its number. Rows of a file are counted from 1, those of a Python object from 0.
        line: where it begins in a file of lines, counted from 1; None elsewhere.
    """

    source: str
    row: int
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.source}, {self.inside}"

    @property
    def inside(self) -> str:
        """The place within its source."""
        at = "" if self.line in (None, self.row) else f" (line {self.line})"
        return f"row {self.row}{at}"


RawRow = Mapping[str, Any]
Rows = list[tuple[Place, RawRow]]


@dataclass(frozen=True)
class Unreadable:
    """A value that a file holds and Python cannot state; `reason` says why."""

    reason: str


def found(value: Any) -> str:
    """What a value is, for a message: kind and beginning."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if isinstance(value, int) and abs(value) >= _LARGE:
            return f"a number of {len(str(abs(value)))} digits"
        return f"the number {value!r}"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, Unreadable):
        return f"not readable ({value.reason:.{_LONGEST}})"
    if isinstance(value, dict):
        return f"an object with {names(value)}" if value else "an empty object"
    return f"a {type(value).__name__}"


def quoted(text: str) -> str:
    """A text's beginning between quotation marks, without line breaks, safe to print anywhere."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return repr(short)


def names(keys: Iterable[Any]) -> str:
    """Column or key names, joined by commas; those that would make it long are counted."""
    shown = [_name(str(key)) for key in keys]
    ends = list(itertools.accumulate(len(name) for name in shown))
    most = max(sum(end <= _LONGEST_LIST for end in ends), 1)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def _name(key: str) -> str:
    """A name, between quotation marks where it could not be told from the text around it."""
    if key != " ".join(key.split()) or not key or "," in key:
        return quoted(key)
    return key if len(key) <= _LONGEST else key[:_LONGEST] + "..."
