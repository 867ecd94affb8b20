"""Files of labels that people gave: two segments of an episode file, and which one is preferred.

As in B-Pref, Preference Transformer and Uni-RLHF: `indices_1` and `indices_2` are the first steps
of two segments, `label` is 0 (the first is preferred), 1 (the second) or equal, which they write as
-1 or as 0.5 each.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo import bounded
from mirrorpo.preferences.own import archives, tables
from mirrorpo.preferences.own.columns import Columns, refuse_repeats
from mirrorpo.preferences.own.settings import MinusOne, One

MOST_TEXT = 2**28
"""Bytes of a CSV file."""

FIRST, SECOND, EQUAL, SKIPPED = range(4)

_ALIASES = {
    "first": ("indices_1", "start_indices_1", "start_indices", "first"),
    "second": ("indices_2", "start_indices_2", "second"),
    "label": ("label", "labels", "human_label", "human_labels"),
    "length_1": ("length_1",),
    "length_2": ("length_2",),
    "length": ("length", "segment_length", "query_length", "len_query"),
}
_WORDS = {"equal": 0.5, "tie": 0.5, "skipped": np.nan, "skip": np.nan, "": np.nan, "nan": np.nan}
_ENDINGS = (".npz", ".csv", ".parquet")


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled pairs of segments.

    Attributes:
        where: the file's name in messages.
        first: first step of each pair's first segment, shape (pairs,), int64.
        second: likewise of its second segment.
        verdict: `FIRST` or `SECOND`, the one preferred, or `EQUAL` or `SKIPPED`; shape (pairs,).
        length: steps of the first and the second segments, shape (2, pairs); None where the file
            does not say.
    """

    where: str
    first: np.ndarray
    second: np.ndarray
    verdict: np.ndarray
    length: np.ndarray | None

    def __len__(self) -> int:
        return len(self.first)


def read(path: Path, one: One = "second", minus_one: MinusOne = "equal") -> Labels:
    """Read and check a file of labels: .npz, .csv or .parquet.

    Args:
        path: the path of the file.
        one: which segment a label of 1 prefers; 0 prefers the other.
        minus_one: what a label of -1 means.

    Raises:
        ValueError: missing, of another kind, damaged, no pair, indices that are no whole numbers,
            or an unknown label. The message names file, column and row.
    """
    if not path.is_file():
        raise ValueError(f"Cannot read labels at {path}: there is no such file.")
    kind = path.suffix.lower()
    if kind in (".pkl", ".pickle", "") or kind not in _ENDINGS:
        pickled = kind in (".pkl", ".pickle", "")
        why = "a pickle can run code, so none is read. Write its arrays" if pickled else "write it"
        raise ValueError(
            f"{path} is not read: {why} as .npz with indices_1, indices_2 and label, or as .csv or "
            ".parquet."
        )
    if kind == ".csv":
        return _labels(_csv(path), one, minus_one)
    opened = archives.opened if kind == ".npz" else tables.opened
    with opened(path) as columns:
        return _labels(columns, one, minus_one)


def _labels(columns: Columns, one: One, minus_one: MinusOne) -> Labels:
    names = {
        key: next((name for name in aliases if name in columns.names), None)
        for key, aliases in _ALIASES.items()
    }
    for key in ("first", "second", "label"):
        if names[key] is None:
            raise ValueError(f"{columns.where} has no {_ALIASES[key][0]}: it has {columns.listed}.")
    called = {key: f"{columns.where}: {name}" for key, name in names.items()}
    arrays = {key: columns.read(name) for key, name in names.items() if name is not None}
    first = _whole(arrays["first"], called["first"])
    second = _whole(arrays["second"], called["second"])
    verdict = _verdicts(arrays["label"], called["label"], one, minus_one)
    count = len(verdict)
    if not count:
        raise ValueError(f"{columns.where} has no pair.")
    for key, array in (("first", first), ("second", second)):
        if len(array) != count:
            raise ValueError(f"{called[key]} has {len(array)} rows, but label has {count}.")
    return Labels(columns.where, first, second, verdict, _lengths(arrays, called, count))


def _lengths(
    arrays: Mapping[str, np.ndarray], called: Mapping[str, str], count: int
) -> np.ndarray | None:
    """Steps of both segments of each pair, where the file has them."""
    if "length" in arrays and not arrays["length"].ndim:
        arrays = {**arrays, "length": np.full(count, arrays["length"])}
    keys = [("length_1", "length_2"), ("length", "length")]
    found = next((pair for pair in keys if all(key in arrays for key in pair)), None)
    if found is None:
        return None
    lengths = np.stack([_whole(arrays[key], called[key]) for key in found])
    if lengths.shape != (2, count):
        raise ValueError(f"{called[found[0]]} has {lengths.shape[1]} rows, but label has {count}.")
    for key, line in zip(found, lengths, strict=True):
        if (line < 1).any():
            at = int(np.argmax(line < 1))
            raise ValueError(f"{called[key]} at row {at} is {line[at]}, but must be at least 1.")
    return lengths


def _whole(array: np.ndarray, called: str) -> np.ndarray:
    """One row of whole numbers, int64."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{called} is {array.dtype} of shape {array.shape}, but needs one whole number per "
            "pair."
        )
    strange = ~np.isfinite(array) | (np.floor(array) != array) | (np.abs(array) > 2**53)
    if strange.any():
        at = int(np.argmax(strange))
        raise ValueError(f"{called} at row {at} is {array[at]}, but must be a whole number.")
    return array.astype(np.int64)


def _verdicts(array: np.ndarray, called: str, one: One, minus_one: MinusOne) -> np.ndarray:
    """Verdicts from labels as numbers, words, or shares of both segments."""
    label = _shares(array, called) if array.ndim == 2 and array.shape[1] == 2 else array
    if label.ndim == 2 and label.shape[1] == 1:
        label = label[:, 0]
    if label.ndim != 1:
        raise ValueError(f"{called} has shape {label.shape}, but needs one label per pair.")
    if label.dtype.kind in "US":
        label = np.array([_number(str(text), called, at) for at, text in enumerate(label)])
    if label.dtype.kind not in "biuf":
        raise ValueError(f"{called} holds {label.dtype}, where 0, 1, 0.5 or -1 are needed.")
    label = label.astype(float)
    verdict = np.full(len(label), -1)
    verdict[label == 0] = FIRST if one == "second" else SECOND
    verdict[label == 1] = SECOND if one == "second" else FIRST
    verdict[label == 0.5] = EQUAL
    verdict[label == -1] = EQUAL if minus_one == "equal" else SKIPPED
    verdict[np.isnan(label)] = SKIPPED
    if (verdict < 0).any():
        at = int(np.argmax(verdict < 0))
        raise ValueError(
            f"{called} at row {at} is {label[at]:g}: a label is 0, 1, 0.5 (equal), -1 or empty."
        )
    return verdict


def _number(text: str, called: str, at: int) -> float:
    word = text.strip().lower()
    try:
        return _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        raise ValueError(
            f"{called} at row {at} is {text!r:.40}: a label is 0, 1, 0.5 or equal, -1, or skipped."
        ) from None


def _shares(array: np.ndarray, called: str) -> np.ndarray:
    """[1, 0], [0, 1] and [0.5, 0.5] as 0, 1 and 0.5."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{called} holds {array.dtype}, where shares of both are needed.")
    wrong = ~np.isclose(array.astype(float).sum(axis=1), 1.0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{called} at row {at} is {array[at].tolist()}, but must add up to 1.")
    return array[:, 1].astype(float)


def _csv(path: Path) -> Columns:
    bounded.check_size(path, "a file of labels", MOST_TEXT)
    _check_widths(path)
    try:
        frame = pd.read_csv(path, keep_default_na=False, dtype=str, index_col=False)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as CSV ({said:.160}).") from None

    def read(name: str) -> np.ndarray:
        texts = frame[name].to_numpy(np.str_)
        if name in _ALIASES["label"]:
            return texts
        try:
            return texts.astype(float)
        except ValueError:
            at = next(i for i, text in enumerate(texts) if not _is_number(text))
            raise ValueError(
                f"{path}: {name} at row {at} is {str(texts[at])!r:.40}, but must be a whole number."
            ) from None

    return Columns(str(path), list(frame.columns), read)


def _check_widths(path: Path) -> None:
    """See that each row has as many values as the first, which names the columns, each once.

    Pandas would take one too many for a name of the row, and move all others by one; and it would
    give the second column of a name another one.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            wanted = len(head)
            refuse_repeats([name for name in head if name], str(path))
            for row in rows:
                if row and len(row) != wanted:
                    raise ValueError(
                        f"{path}: line {rows.line_num} has {len(row)} values, but the first line "
                        f"names {wanted} columns."
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as CSV ({said:.160}).") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
