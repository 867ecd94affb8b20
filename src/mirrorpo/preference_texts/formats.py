"""Files of rows: JSON, JSON lines, CSV, Parquet, Arrow; each row with its place in the file."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirrorpo import bounded

from . import delimited, json_rows, signs, tables
from .place import Place, Rows

COMPRESSED = ".gz"
TEXT_KINDS = (".jsonl", ".json", *delimited.DELIMITERS)
ACCEPTED = (
    ".jsonl, .json, .csv or .tsv, each also as .gz, .parquet, .arrow, or a folder of such files"
)


def kind(path: Path) -> str | None:
    """A file's kind, one of `TEXT_KINDS` and `tables.KINDS`, by its ending; None for any other."""
    name = path.name.lower()
    if name.endswith(COMPRESSED):
        ending = Path(name.removesuffix(COMPRESSED)).suffix
        return _known(ending) if ending in (*TEXT_KINDS, ".ndjson") else None
    return _known(Path(name).suffix)


def read(path: Path) -> Rows:
    """All rows of a file, in its order.

    Ends of lines are LF, CR LF, or CR where there is no LF: U+2028, U+0085 and their like belong
    to the text around them. A .jsonl file may hold one JSON list, and a .json file JSON lines.

    Raises:
        ValueError: a kind that is not read, or a file that is cut or damaged. The message names
            the file and the line or row.
    """
    what, given = _content(path)
    return json_rows.read(path, given, what == ".jsonl") if isinstance(given, str) else given


def values(path: Path) -> Sequence[tuple[Place, Any]]:
    """As `read`, but what stands in a list or on a line of JSON need not be an object."""
    what, given = _content(path)
    return json_rows.values(path, given, what == ".jsonl") if isinstance(given, str) else given


def _content(path: Path) -> tuple[str, str | Rows]:
    """A file's kind, and its text where that is JSON, else its rows."""
    what = kind(path)
    if what is None:
        ending = "".join(path.suffixes[-2:]) or "no ending"
        raise ValueError(f"{path} has {ending}, which is not read: name a file of {ACCEPTED}.")
    try:
        if what in tables.KINDS:
            return what, tables.read(path, what)
    except OSError as error:
        raise _unread(path, error) from None
    whole = text(path)
    return what, delimited.read(path, whole, what) if what in delimited.DELIMITERS else whole


def _unread(path: Path, error: OSError) -> ValueError:
    return ValueError(f"{path} cannot be read: {error.strerror or error}.")


def _known(ending: str) -> str | None:
    ending = ".jsonl" if ending == ".ndjson" else ending
    return ending if ending in (*TEXT_KINDS, *tables.KINDS) else None


def text(path: Path) -> str:
    """What a file of text holds, unpacked where its name ends in .gz.

    Raises:
        ValueError: it cannot be read, is of another kind, or is not UTF-8.
    """
    try:
        content = bounded.read_bytes(path, "preference texts", bounded.DATASET)
    except OSError as error:
        raise _unread(path, error) from None
    if path.name.lower().endswith(COMPRESSED):
        content = _unpacked(path, content)
    other = signs.other(content)
    if other is not None:
        raise ValueError(f"{path} {other}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: the byte {content[error.start]:#04x} is not UTF-8: save the "
            "file as UTF-8."
        ) from None


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        found = bounded.unpack(content, str(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        other = None if content.startswith(b"\x1f\x8b") else signs.other(content)
        what = other or f"cannot be unpacked: {error}. It may be cut."
        raise ValueError(f"{path} {what}") from None
    if found.startswith(b"\x1f\x8b"):
        raise ValueError(f"{path} is compressed twice: unpack it once.")
    return found
