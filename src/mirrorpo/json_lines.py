"""Logs of one JSON object per line: appended and synced, and read again after a kill.

A kill can cut the last line alone; the next append mends that. Any other line that cannot be read
is damage: it is said with its number, and costs no other line.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from mirrorpo import bounded, damage, files, locks

Row = TypeVar("Row")

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True)
class _Found(Generic[Row]):
    """The readable lines of a file, raw and parsed, and whether every line was readable."""

    texts: list[bytes]
    rows: list[Row]
    complete: bool


def read(path: Path | str, parse: Callable[[Mapping[str, Any]], Any] = dict) -> list[Any]:
    """The rows of a log, in its order; none where there is no file.

    The file is only read, so another process may be writing it.

    Args:
        path: the path of the log.
        parse: turns a line's object into what is returned. A line for which it raises ValueError,
            KeyError, TypeError, AttributeError or IndexError is damaged.

    A line that was cut by a kill, the last one, is left out. Of a damaged line a `DamageWarning`
    says the number.
    """
    return _read(Path(path), parse).rows


def resume(
    path: Path | str,
    parse: Callable[[Mapping[str, Any]], Any] = dict,
    keep: Callable[[Any], bool] = lambda row: True,
) -> list[Any]:
    """`read`, of a log that this process alone appends to: the file then holds what is returned.

    Args:
        path: the path of the log.
        parse: as of `read`.
        keep: rows for which it is false are dropped from the file too.
    """
    path = Path(path)
    found = _read(path, parse)
    kept = [(text, row) for text, row in zip(found.texts, found.rows, strict=True) if keep(row)]
    if not found.complete or len(kept) < len(found.rows):
        content = b"".join(text + b"\n" for text, _ in kept)
        files.write_atomically(path, lambda part: part.write_bytes(content))
    return [row for _, row in kept]


def write(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a whole log atomically."""
    files.write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def append(path: Path | str, row: Mapping[str, Any]) -> None:
    """Append one row and sync it to disk. Processes may append to one log."""
    path = Path(path)
    line = json.dumps(row).encode() + b"\n"
    is_new = not path.exists()
    files.make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        with files.naming(path), locks.briefly(descriptor):
            _mend(descriptor)
            while line:
                line = line[os.write(descriptor, line) :]
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        files.sync(path.parent)


def _read(path: Path, parse: Callable[[Mapping[str, Any]], Row]) -> _Found[Row]:
    if not path.is_file():
        return _Found([], [], True)
    texts: list[bytes] = []
    rows: list[Row] = []
    damaged, ended = 0, True
    for number, (text, ended) in enumerate(_lines(path), 1):
        try:
            row = parse(_object(text))
        except _UNREADABLE as error:
            damaged += 1
            if ended:
                reason = str(error) or type(error).__name__
                damage.say(
                    f"{path}: line {number} is damaged ({reason:.100}) and is left out; the "
                    "others are kept."
                )
            continue
        texts.append(text)
        rows.append(row)
    return _Found(texts, rows, not damaged and ended)


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file, and whether each is complete.

    A line beyond the limit is cut, and `_object` refuses it.
    """
    with path.open("rb") as file:
        # By b"\n" alone: a text may hold other ends of lines, such as U+2028.
        while line := file.readline(bounded.LINE + 2):
            rest = line
            while len(rest) > bounded.LINE and not rest.endswith(b"\n"):
                rest = file.readline(bounded.LINE + 2)
            yield line.removesuffix(b"\n"), (rest or line).endswith(b"\n")


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > bounded.LINE:
        raise ValueError(f"longer than {bounded.LINE // bounded.MEBIBYTE} MiB")
    row = bounded.parse_json(text.decode("utf-8"))
    if not isinstance(row, dict):
        raise TypeError("not a JSON object")
    return row


def _mend(descriptor: int) -> None:
    """End the last line of an open file where a kill has cut it, or cut it off."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    tail = b""
    while size > len(tail) and b"\n" not in tail:
        step = min(size - len(tail), 1 if not tail else 1 << 16)
        os.lseek(descriptor, size - len(tail) - step, os.SEEK_SET)
        tail = os.read(descriptor, step) + tail
    cut = tail.rpartition(b"\n")[2]
    if not cut:
        return
    try:
        _object(cut)
    except _UNREADABLE:
        os.ftruncate(descriptor, size - len(cut))
    else:
        os.write(descriptor, b"\n")
