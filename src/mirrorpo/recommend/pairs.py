"""Preference pairs of any kind as numbers: one row of features and two lengths a pair."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.ipc
import pyarrow.parquet
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.preferences.preference_model import REGULARISATION, trajectory_difference

REFERENCE_COLUMNS = (
    ("ref_chosen_logps", "ref_rejected_logps"),
    ("reference_chosen_logps", "reference_rejected_logps"),
)
"""Names under which a text dataset may hold its reference's summed log-probs."""

_VOCABULARY = 20_000
_TEXT_SHARE = 3.0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Preference pairs.

    Attributes:
        kind: "trajectories" or "texts".
        difference: features of the chosen minus those of the rejected, shape (pairs, features),
            dense or sparse.
        regularisation: scikit-learn's C of a logistic model on them.
        group: pairs of one group share a prompt or a start, shape (pairs,), int.
        chosen_length: in steps or words, shape (pairs,).
        rejected_length: likewise.
        identical: whether chosen and rejected are the same, shape (pairs,), bool.
        reference: log-probs of chosen and rejected under a reference, means over steps, words or
            tokens, shape (pairs, 2), or of fewer pairs; None where they are not known.
    """

    kind: str
    difference: Any
    regularisation: float
    group: np.ndarray
    chosen_length: np.ndarray
    rejected_length: np.ndarray
    identical: np.ndarray
    reference: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.group)


def read(path: Path) -> Pairs:
    """Read a dataset: ours (.safetensors), or texts with prompt, chosen and rejected.

    Texts are in a .parquet, .jsonl or .json file, in a folder of such files, or in one that
    `datasets` saved to disk. A completion is a string or a list of messages, of which the last
    counts.

    Raises:
        ValueError: no such file, another format, a column that is missing, or no pairs.
    """
    if path.suffix == ".safetensors":
        return from_trajectories(PreferenceDataset.load(path))
    return from_rows(text_rows(path), str(path))


def from_trajectories(dataset: PreferenceDataset) -> Pairs:
    """Pairs of robots' trajectories, by the features of `trajectory_difference`."""
    trajectories = dataset.trajectories
    return Pairs(
        "trajectories",
        trajectory_difference(dataset),
        REGULARISATION,
        trajectories.start[dataset.chosen].astype(int),
        trajectories.length[dataset.chosen].astype(float),
        trajectories.length[dataset.rejected].astype(float),
        dataset.chosen == dataset.rejected,
    )


def from_rows(rows: Sequence[Mapping[str, Any]], what: str) -> Pairs:
    """Pairs of texts.

    A completion's features are its words and pairs of words (TF-IDF), the logarithm of its length,
    and how it is laid out.

    Args:
        rows: with chosen and rejected, and with prompt unless completions hold their prompt.
        what: the dataset's name in messages.

    Raises:
        ValueError: no rows, or a column that is missing.
    """
    if not len(rows):
        raise ValueError(f"{what} holds no pairs.")
    for name in ("chosen", "rejected"):
        if name not in rows[0]:
            known = ", ".join(map(str, rows[0]))
            raise ValueError(f"{what} has no column {name!r}; it has {known}.")
    chosen = [_completion(row["chosen"]) for row in rows]
    rejected = [_completion(row["rejected"]) for row in rows]
    prompts = [_prompt(row) for row in rows]
    vectoriser = TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, 2),
        min_df=2,
        max_features=_VOCABULARY,
        token_pattern=r"(?u)\b\w+\b|[^\w\s]",
    )
    try:
        words = vectoriser.fit_transform([*chosen, *rejected])
    except ValueError:  # no word occurs twice
        words = sparse.csr_matrix((2 * len(rows), 1))
    layout = np.array([_layout(text) for text in (*chosen, *rejected)])
    scaled = StandardScaler().fit_transform(layout) / _TEXT_SHARE
    features = sparse.hstack([words, sparse.csr_matrix(scaled)]).tocsr()
    lengths = np.array([max(len(text.split()), 1) for text in (*chosen, *rejected)], float)
    n = len(rows)
    number = {prompt: position for position, prompt in enumerate(dict.fromkeys(prompts))}
    return Pairs(
        "texts",
        features[:n] - features[n:],
        1.0,
        np.array([number[prompt] for prompt in prompts]),
        lengths[:n],
        lengths[n:],
        np.array([a == b for a, b in zip(chosen, rejected, strict=True)]),
        _reference(rows, lengths[:n], lengths[n:]),
    )


def _layout(text: str) -> list[float]:
    words = text.split()
    counts = [text.count(mark) for mark in ("\n", "- ", "**", "?", "`", "I ")]
    unique = len(set(words)) / max(len(words), 1)
    return [np.log1p(len(words)), unique, *np.log1p(counts)]


def _completion(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value[-1].get("content", "")) if len(value) else ""


def _prompt(row: Mapping[str, Any]) -> str:
    if row.get("prompt") is not None:
        return str(row["prompt"])
    chosen = row["chosen"]
    return "" if isinstance(chosen, str) else str(list(chosen[:-1]))


def _reference(
    rows: Sequence[Mapping[str, Any]], chosen: np.ndarray, rejected: np.ndarray
) -> np.ndarray | None:
    for names in REFERENCE_COLUMNS:
        if all(rows[0].get(name) is not None for name in names):
            summed = np.array([[float(row[name]) for name in names] for row in rows])
            return summed / np.stack([chosen, rejected], axis=1)
    return None


def text_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a dataset of texts, see `read`.

    Raises:
        ValueError: no such file, or another format.
    """
    if not path.exists():
        raise ValueError(f"No dataset at {path}: it does not exist.")
    if path.is_file():
        return _file_rows(path)
    found = sorted(
        file for ending in ("arrow", "parquet", "jsonl") for file in path.glob(f"**/*.{ending}")
    )
    if not found:
        raise ValueError(f"{path} holds no .arrow, .parquet or .jsonl file.")
    splits = {file.parent for file in found}
    if len(splits) > 1:
        names = ", ".join(sorted(str(split) for split in splits))
        raise ValueError(f"{path} holds several splits: name one of {names}.")
    return [row for file in found for row in _file_rows(file)]


def _file_rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            return arrow.parquet.read_table(path).to_pylist()
        if path.suffix == ".arrow":
            with arrow.memory_map(str(path)) as source:
                return arrow.ipc.open_stream(source).read_all().to_pylist()
        if path.suffix == ".jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines if line.strip()]
        if path.suffix == ".json":
            rows = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(rows, list):
                return rows
    except (arrow.ArrowInvalid, json.JSONDecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as {path.suffix}: {reason:.200}") from None
    raise ValueError(
        f"{path} is no preference dataset: .safetensors of `mirrorpo data generate`, or .parquet, "
        ".jsonl or .json rows with prompt, chosen and rejected."
    )
