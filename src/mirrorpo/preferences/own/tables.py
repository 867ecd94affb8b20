"""Parquet tables with one row per step."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.compute as compute
import pyarrow.parquet

from mirrorpo.preferences.own.columns import ByteBudget, Columns

_ROWS_AT_ONCE = 1024
_TEXT = 200  # characters: a source's name


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Columns]:
    """The columns of a table.

    Lists of equal length become two dimensions, and so do numbered columns `observations_0`,
    `observations_1`, ... (or with a dot), under the name before the number.

    Raises:
        ValueError: no Parquet file, or damaged.
    """
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as Parquet ({said:.160}).") from None
    budget = ByteBudget(str(path))
    with file:
        single = list(file.schema_arrow.names)
        numbered = _numbered(single)

        def read(name: str) -> np.ndarray:
            if name in single:
                return _column(file, name, path, budget)
            return _joined(file, name, numbered[name], path, budget)

        yield Columns(str(path), [*single, *numbered], read)


def _numbered(names: list[str]) -> dict[str, list[str]]:
    """Columns `name_0`, `name_1`, ... by `name`."""
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        if found := re.fullmatch(r"(.+)[._](\d{1,6})", name):
            groups.setdefault(found[1], {})[int(found[2])] = name
    complete = {}
    for base, group in groups.items():
        if base not in names and 0 in group:
            complete[base] = [group[at] for at in sorted(group)]
    return complete


def _joined(file: Any, name: str, parts: list[str], path: Path, budget: ByteBudget) -> np.ndarray:
    numbers = [int(re.split(r"[._]", part)[-1]) for part in parts]
    if numbers != list(range(len(numbers))):
        missing = min(set(range(len(numbers))) - set(numbers))
        raise ValueError(f"{path}: the columns {name}_... have no number {missing}.")
    columns = [_column(file, part, path, budget) for part in parts]
    for part, column in zip(parts, columns, strict=True):
        if column.ndim != 1:
            raise ValueError(f"{path}: {part} holds lists, where numbers are needed.")
    return np.stack(columns, axis=1)


def _column(file: Any, name: str, path: Path, budget: ByteBudget) -> np.ndarray:
    kind = file.schema_arrow.field(name).type
    lists = arrow.types.is_list(kind) or arrow.types.is_large_list(kind)
    lists = lists or arrow.types.is_fixed_size_list(kind)
    inner = kind.value_type if lists else kind
    is_text = arrow.types.is_string(inner) or arrow.types.is_large_string(inner)
    number = arrow.types.is_integer(inner) or arrow.types.is_floating(inner)
    if not (number or arrow.types.is_boolean(inner) or (is_text and not lists)):
        raise ValueError(f"{path}: {name} holds {kind!s:.60}, where numbers are needed.")
    parts: list[np.ndarray] = []
    row = 0
    try:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[name]):
            column = batch.column(0)
            budget.take(name, (batch.nbytes,), 1)
            if column.null_count:
                empty = np.asarray(column.is_null())
                raise ValueError(f"{path}: {name} at row {row + int(np.argmax(empty))} is empty.")
            if (
                is_text
                and (longest := compute.max(compute.utf8_length(column)).as_py() or 0) > _TEXT
            ):
                raise ValueError(f"{path}: {name} holds a text of {longest} characters.")
            width = _width(column, name, path, row, parts) if lists else None
            flat = column.flatten() if lists else column
            if flat.null_count:
                raise ValueError(f"{path}: {name} has an empty number after row {row}.")
            values = flat.to_numpy(zero_copy_only=False)
            parts.append(
                values.astype(np.str_)
                if is_text
                else values.reshape(len(column), width)
                if width is not None
                else values
            )
            row += len(column)
    except (arrow.ArrowException, OSError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: {name} is damaged ({said:.160}).") from None
    return np.concatenate(parts) if parts else np.zeros(0)


def _width(column: Any, name: str, path: Path, row: int, parts: list[np.ndarray]) -> int:
    """How long all lists of a column are."""
    if arrow.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    lengths = np.asarray(column.value_lengths())
    width = parts[0].shape[1] if parts else int(lengths[0])
    other = lengths != width
    if other.any():
        at = int(np.argmax(other))
        raise ValueError(
            f"{path}: {name} at row {row + at} has {lengths[at]} numbers, the first row {width}."
        )
    return width
