"""Files of rows: JSON, JSON lines, CSV, Parquet, Arrow; each row with its place in the file."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.ipc
import pyarrow.parquet

from .place import Place, found, names, quoted

Row = Mapping[str, Any]
Rows = list[tuple[Place, Row]]

COMPRESSED = ".gz"
TEXT_KINDS = (".jsonl", ".json", ".csv", ".tsv")
TABLE_KINDS = (".parquet", ".arrow")
ACCEPTED = (
    ".jsonl, .json, .csv or .tsv, each also as .gz, .parquet, .arrow, or a folder of such files"
)

_MESSAGES = re.compile(r"""\[\{['"](role|content|from|value)['"]:""")

_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def kind(path: Path) -> str | None:
    """A file's kind, one of `TEXT_KINDS` and `TABLE_KINDS`, by its ending; None for any other."""
    name = path.name.lower()
    if name.endswith(COMPRESSED):
        ending = Path(name.removesuffix(COMPRESSED)).suffix
        return _known(ending) if ending in (*TEXT_KINDS, ".ndjson") else None
    return _known(Path(name).suffix)


def read(path: Path) -> Rows:
    """All rows of a file, in its order.

    Ends of lines are LF or CR LF: U+2028, U+0085 and their like belong to the text around them. A
    .jsonl file may hold one JSON list, and a .json file JSON lines.

    Raises:
        ValueError: a kind that is not read, or a file that is cut or damaged. The message names
            the file and the line or row.
    """
    what = kind(path)
    if what is None:
        ending = "".join(path.suffixes[-2:]) or "no ending"
        raise ValueError(f"{path} has {ending}, which is not read: name a file of {ACCEPTED}.")
    try:
        if what in TABLE_KINDS:
            return _table(path, what)
        text = _text(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    if what in (".csv", ".tsv"):
        return list(_delimited(path, text, "," if what == ".csv" else "\t"))
    return _json(path, text)


def table_rows(table: Any, place: Callable[[int], Place], source: str) -> Rows:
    """The rows of a `pyarrow.Table`.

    Arrow gives every object of a column all keys that any of them has. So a null inside a list or
    an object is a key that is not there, and is left out.

    Args:
        table: of any columns.
        place: of a row, by its number from 0.
        source: the table's name in messages.

    Raises:
        ValueError: two columns of one name.
    """
    _no_repeats(table.column_names, source)
    return [(place(number), _pruned(row)) for number, row in enumerate(table.to_pylist())]


def _known(ending: str) -> str | None:
    ending = ".jsonl" if ending == ".ndjson" else ending
    return ending if ending in (*TEXT_KINDS, *TABLE_KINDS) else None


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.name.lower().endswith(COMPRESSED):
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} cannot be unpacked: {error}. It may be cut.") from None
    for mark, name in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise ValueError(f"{path} is written in {name}: save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: the byte {content[error.start]:#04x} is not UTF-8: save the "
            "file as UTF-8."
        ) from None


def _json(path: Path, text: str) -> Rows:
    """Rows of a JSON list, or of JSON lines, whatever the file's ending is."""
    lines = text.split("\n")
    is_list = text.lstrip()[:1] == "["
    if is_list and (kind(path) == ".json" or sum(1 for part in lines if part.strip()) == 1):
        placed = [
            (Place(str(path), number), row) for number, row in enumerate(_parsed(text, path), 1)
        ]
        return [(place, _object(row, place)) for place, row in placed]
    if kind(path) == ".json" and text.strip():
        try:
            whole = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            pass  # JSON lines, or damaged: said below, with the line
        else:
            return [(Place(str(path), 1), _object(whole, Place(str(path), 1)))]
    rows: Rows = []
    for line, part in enumerate(lines, 1):
        if part.strip():
            place = Place(str(path), len(rows) + 1, line)
            rows.append((place, _object(_parsed(part, path, line), place)))
    return rows


def _parsed(text: str, path: Path, first: int = 1) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        raise ValueError(
            f"{path}, line {line}, column {error.colno}: cannot be read as JSON ({error.msg}): "
            f"{quoted(text.split(chr(10))[error.lineno - 1].strip())}. The file may be cut."
        ) from None
    except RecursionError:
        raise ValueError(f"{path}, line {first}: too many lists inside one another.") from None
    except ValueError as error:  # a key twice, or a number of thousands of digits
        raise ValueError(f"{path}, line {first}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen = [key for key, _ in pairs]
        twice = next(key for key in seen if seen.count(key) > 1)
        raise ValueError(f"the key {quoted(twice)} is there twice in one object: keep one.")
    return made


def _object(row: Any, place: Place) -> Row:
    if not isinstance(row, dict):
        raise ValueError(
            f"{place} is {found(row)}: a row is an object such as "
            '{"prompt": ..., "chosen": ..., "rejected": ...}.'
        )
    return row


def _delimited(path: Path, text: str, delimiter: str) -> Iterator[tuple[Place, Row]]:
    before = csv.field_size_limit(sys.maxsize)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = next(lines, [])
        _no_repeats(header, str(path))
        row, line = 0, lines.line_num + 1
        for values in lines:
            if values:
                row += 1
                place = Place(str(path), row, line)
                if len(values) != len(header):
                    raise ValueError(
                        f"{place} has {len(values)} values, but the header names {len(header)} "
                        f"columns: {names(header)}."
                    )
                cells = (_cell(value, place) for value in values)
                yield place, dict(zip(header, cells, strict=True))
            line = lines.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: this is not CSV ({error}).") from None
    finally:
        csv.field_size_limit(before)


def _cell(text: str, place: Place) -> Any:
    """A cell's text; None for an empty one, which cannot be told from one that is missing."""
    if not _MESSAGES.match(text):
        return text or None
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ValueError(
            f"{place}: a cell holds messages as Python prints them, {quoted(text)}: save the "
            "dataset as .jsonl or .parquet."
        ) from None


def _table(path: Path, what: str) -> Rows:
    try:
        is_parquet = what == ".parquet"
        table = arrow.parquet.ParquetFile(path).read() if is_parquet else _arrow(path)
    except arrow.ArrowException as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as {what}: {reason:.200}") from None
    return table_rows(table, lambda number: Place(str(path), number + 1), str(path))


def _arrow(path: Path) -> Any:
    with arrow.memory_map(str(path)) as source:
        try:
            return arrow.ipc.open_stream(source).read_all()
        except arrow.ArrowInvalid:
            source.seek(0)
            return arrow.ipc.open_file(source).read_all()


def _pruned(row: Row) -> Row:
    return {key: _without_nulls(value) for key, value in row.items()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _no_repeats(columns: Sequence[str], source: str) -> None:
    twice = sorted({name for name in columns if list(columns).count(name) > 1})
    if twice:
        raise ValueError(f"{source} has two columns of the name {names(twice)}: rename one.")
