"""Tables of Parquet and Arrow as rows."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.ipc
import pyarrow.parquet

from mirrorpo import bounded

from . import signs
from .place import Place, Rows, Unreadable, names

KINDS = {".parquet": b"PAR1", ".arrow": b"ARROW1"}
"""How the files of each kind begin."""

_HEAD = 512


def read(path: Path, kind: str) -> Rows:
    """All rows of a file of one of `KINDS`.

    Raises:
        ValueError: another kind of file, a damaged one, or two columns of one name.
        OSError: it cannot be opened.
    """
    try:
        is_parquet = kind == ".parquet"
        table = _parquet(path) if is_parquet else _arrow(path)
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        with path.open("rb") as file:
            head = file.read(_HEAD)
        reason = None if not head or head.startswith(KINDS[kind]) else signs.other(head)
        said = " ".join(str(error).split()).rstrip(".")
        text = reason or f"cannot be read as {kind}: {said:.200}."
        raise ValueError(f"{path} {text}") from None
    return rows(table, lambda number: Place(str(path), number + 1), str(path))


def rows(table: Any, place: Callable[[int], Place], source: str) -> Rows:
    """The rows of a `pyarrow.Table`.

    Arrow gives every object of a column all keys that any of them has. So a null inside a list or
    an object is a key that is not there, and is left out. What Python cannot state, such as a date
    after the year 9999 or a text that is not UTF-8, becomes `Unreadable`: only a column that is
    used needs to be read.

    Args:
        table: a table with any columns.
        place: the place of a row, by its number from 0.
        source: the table's name in messages.

    Raises:
        ValueError: two columns of one name.
    """
    refuse_repeats(table.column_names, source)
    columns = [[_without_nulls(value) for value in _values(column)] for column in table.columns]
    return [
        (place(number), dict(zip(table.column_names, values, strict=True)))
        for number, values in enumerate(zip(*columns, strict=True))
    ]


def refuse_repeats(columns: list[str], source: str) -> None:
    """See that no two columns have one name.

    Raises:
        ValueError: two have.
    """
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        raise ValueError(f"{source} has two columns of the name {names(twice)}: rename one.")


def _values(column: Any) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, LookupError, ImportError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, LookupError, ImportError) as error:
        return Unreadable(" ".join(str(error).split()))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _parquet(path: Path) -> Any:
    """The table of a Parquet file, whose own account says beforehand how large it is unpacked."""
    with arrow.parquet.ParquetFile(path) as file:
        about = file.metadata
        size = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        bounded.check_length(size, f"{path}, unpacked,", bounded.DATASET)
        return file.read()


def _arrow(path: Path) -> Any:
    bounded.check_size(path, "preference texts", bounded.DATASET)
    with arrow.memory_map(str(path)) as source:
        try:
            return arrow.ipc.open_stream(source).read_all()
        except arrow.ArrowInvalid:
            source.seek(0)
            return arrow.ipc.open_file(source).read_all()
