"""Rows of JSON: a list, or one object per line."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .place import Place, RawRow, Rows, found, names, quoted
from .row import COLUMNS

_CUT = "The file may be cut."
_HINTS = {
    "Extra data": "One row takes one line, with nothing after it.",
    "Expecting property name enclosed in double quotes": (
        "Keys and texts stand in double quotes, and one row takes one line."
    ),
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "Remove the byte-order mark before it.",
    "Invalid control character at": "Inside a text it is written as an escape, such as \\t.",
}


def read(path: Path, text: str, is_lines: bool) -> Rows:
    """As `values`, where each is an object.

    Raises:
        ValueError: as `values`; or one is not an object, or one that holds all rows.
    """
    given = values(path, text, is_lines)
    if len(given) == 1 and given[0][0].line is None and isinstance(given[0][1], dict):
        _refuse_wrapped(given[0][1], path)
    return [(place, _object(value, place)) for place, value in given]


def values(path: Path, text: str, is_lines: bool) -> list[tuple[Place, Any]]:
    """Values of a JSON list, or of JSON lines, whatever the file's ending is.

    Args:
        path: for messages.
        text: the file's.
        is_lines: whether its name says that each line is a row.

    Raises:
        ValueError: damaged JSON.
    """
    # A bare CR ends lines where nothing else does: inside a text of JSON it cannot stand.
    lines = text.split("\n" if "\n" in text else "\r")
    is_list = text.lstrip()[:1] == "["
    if is_list and (not is_lines or not _is_json(_first(lines)) or _are_one(lines)):
        return _of_list(parse_whole(text, path), path)
    if not is_lines and text.strip():
        try:
            whole = parse(text)
        except (ValueError, RecursionError):
            pass  # JSON lines, or damaged: said below, with the line
        else:
            return _of_list([whole], path)
    made: list[tuple[Place, Any]] = []
    for line, part in enumerate(lines, 1):
        if part.strip():
            place = Place(str(path), len(made) + 1, line)
            made.append((place, parse_whole(part, path, line)))
    return made


def parse(text: str) -> Any:
    """A JSON value, with no key twice in one object.

    Raises:
        ValueError: it is none; RecursionError for too many lists inside one another.
    """
    return json.loads(text, object_pairs_hook=_once)


def parse_whole(text: str, path: Path, first: int = 1) -> Any:
    """As `parse`, of a file's text that begins in the line `first`.

    Raises:
        ValueError: the message names the file and the line.
    """
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        begin = quoted(text.split("\n")[error.lineno - 1].strip())
        is_none = error.msg == "Expecting value" and error.colno == 1
        hint = "A row begins with '{'." if is_none else _HINTS.get(error.msg, _CUT)
        raise ValueError(
            f"{path}, line {line}, column {error.colno}: cannot be read as JSON ({error.msg}): "
            f"{begin}. {hint}"
        ) from None
    except RecursionError:
        raise ValueError(f"{path}, line {first}: too many lists inside one another.") from None
    except ValueError as error:  # a key twice, or a number of thousands of digits
        raise ValueError(f"{path}, line {first}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {quoted(twice)} is there twice in one object: keep one.")
    return made


def _first(lines: list[str]) -> str:
    return next((line for line in lines if line.strip()), "")


def _are_one(lines: list[str]) -> bool:
    return sum(1 for line in lines if line.strip()) == 1


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _of_list(items: Any, path: Path) -> list[tuple[Place, Any]]:
    return [(Place(str(path), number), item) for number, item in enumerate(items, 1)]


def _object(row: Any, place: Place) -> RawRow:
    if not isinstance(row, dict):
        raise ValueError(
            f"{place} is {found(row)}: a row is an object such as "
            '{"prompt": ..., "chosen": ..., "rejected": ...}.'
        )
    return row


def _refuse_wrapped(whole: Mapping[str, Any], path: Path) -> None:
    """See that a file's one object is a row, and does not hold rows or columns."""
    inner = [
        name
        for name, value in whole.items()
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    ]
    own = [whole[name] for name in COLUMNS if name in whole]
    if inner and not own:
        raise ValueError(
            f"{path} is one object, and its rows may be the list under {names(inner)}: save that "
            "list as the file."
        )
    if any(_is_column(value) for value in own):
        raise ValueError(
            f"{path} holds whole columns, not rows: save it as a list of rows (in pandas, "
            "to_json(..., orient='records'))."
        )


def _is_column(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(key.isdecimal() for key in value)
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
