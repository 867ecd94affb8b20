"""Rows of CSV: a header, then one record per row."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from .place import Place, RawRow, Rows, names
from .tables import refuse_repeats

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_OTHERS = (",", ";", "\t", "|")


def read(path: Path, text: str, kind: str) -> Rows:
    """All rows of a .csv or .tsv file.

    An empty cell is None: it cannot be told from one that is missing. Where the header is one
    column to the usual delimiter, and several to another, the other one is taken.

    Raises:
        ValueError: it is not CSV, or a row has more or fewer values than the header has columns.
    """
    before = csv.field_size_limit(sys.maxsize)
    try:
        return list(_rows(path, text, _delimiter(text, DELIMITERS[kind])))
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str, usual: str) -> str:
    try:
        first = next((line for line in csv.reader(io.StringIO(text, newline="")) if line), [""])
    except csv.Error:
        return usual
    head = ",".join(first)
    if usual in head or head.lstrip()[:1] in ("{", "["):
        return usual
    return next((mark for mark in _OTHERS if mark in head), usual)


def _rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[Place, RawRow]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next((line for line in lines if line), [])
        if header and header[0].lstrip()[:1] in ("{", "["):
            raise ValueError(f"{path} is JSON, not CSV: end its name in .jsonl or .json.")
        refuse_repeats(header, str(path))
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
                cells = (value or None for value in values)
                yield place, dict(zip(header, cells, strict=True))
            line = lines.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: this is not CSV ({error}).") from None
