"""Folders of rows: which files are a split's, and which of its rows are asked for."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files

from . import formats
from .place import Rows, names

_SHARD = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}$")
_COUNTER = re.compile(r"[-_.]?\d+$")
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_STATE, _SPLITS, _FILES = "state.json", "dataset_dict.json", "_data_files"
_NOT_ROWS = (_STATE, _SPLITS, "dataset_info.json", "dataset_infos.json")


@dataclass(frozen=True)
class DatasetSplit:
    """Which rows of a dataset: a split's name, and a part of it.

    Attributes:
        name: such as "train".
        first, last: the part's ends as Python slices them, or percentages of the rows.
        percent: whether they are.
    """

    name: str
    first: int | None = None
    last: int | None = None
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> "DatasetSplit":
        """Read ``train``, ``train[:100]`` or ``train[80%:]``, as `datasets` writes them.

        Raises:
            ValueError: another text.
        """
        number = r"-?\d+"
        match = re.fullmatch(
            rf"(?P<name>[^\[\]+]+)(\[(?P<first>{number}%?)?:(?P<last>{number}%?)?\])?", text
        )
        ends = [match[key] for key in ("first", "last") if match[key]] if match else []
        kinds = {end.endswith("%") for end in ends}
        if match is None or len(kinds) > 1:
            raise ValueError(f"{text!r} is not a split: write train, train[:100] or train[80%:].")
        first, last = (
            int(match[key].removesuffix("%")) if match[key] else None for key in ("first", "last")
        )
        return cls(match["name"], first, last, kinds == {True})

    def of(self, rows: list[Any]) -> list[Any]:
        """The rows that are asked for.

        Raises:
            ValueError: none of them is.
        """
        first, last = self.first, self.last
        if self.percent:
            first, last = (
                None if end is None else _counted(end, len(rows)) for end in (first, last)
            )
        found = rows[first:last]
        if rows and not found:
            mark = "%" if self.percent else ""
            ends = ("" if end is None else f"{end}{mark}" for end in (self.first, self.last))
            raise ValueError(
                f"The part {self.name}[{':'.join(ends)}] holds none of the {len(rows)} rows: write "
                "another one."
            )
        return found


def _counted(percent: int, rows: int) -> int:
    """The number of rows before an end of a slice, which is given in percent of all rows.

    A negative percentage counts from the back, as in Python. The result is never negative: less
    than half a row from the back would be rounded to -0, which Python reads as the front.
    """
    near = round(percent * rows / 100)
    return near if percent >= 0 else max(rows + near, 0)


def read(path: Path, split: str | None) -> tuple[Rows, str]:
    """The rows of one split of a file or a folder.

    A folder is one that `datasets` saved, a clone of a hub's repository, or one of files whose
    names, or whose folders' names, hold train, test or validation. What names no split is "train".

    Args:
        path: a file is its one split, "train".
        split: as of `DatasetSplit.parse`; None for the only one, or "train" among several.

    Returns:
        The rows, and what is to be said of the choice: "" where there was none.

    Raises:
        ValueError: no such path, no such split, several that the name may mean, or files that hold
            the same rows twice.
    """
    if not path.exists():
        raise ValueError(f"No dataset at {path}: it does not exist.")
    if not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is neither a file nor a folder: write the rows to a file first.")
    wanted = DatasetSplit.parse(split or "train")
    if path.is_file():
        if wanted.name != "train":
            raise ValueError(
                f"{path} is one file, the split train: it has no split {wanted.name}. Name a "
                "folder that has, or ask for none."
            )
        return wanted.of(formats.read(path)), ""
    groups = _splits(path)
    if not groups:
        raise ValueError(f"{path} holds no rows: no file in it is {formats.ACCEPTED}.")
    chosen = _chosen(path, groups, wanted.name, split is None)
    rows = [row for file in groups[chosen] for row in formats.read(file)]
    return wanted.of(rows), _said(path, groups, chosen)


def _chosen(path: Path, groups: dict[str, list[Path]], name: str, free: bool) -> str:
    if free and len(groups) == 1:
        return next(iter(groups))
    if name in groups:
        return name
    if name == "train" and "" in groups:
        return ""
    meaning = _meaning(name)
    near = [label for label in groups if meaning is not None and _meaning(label) == meaning]
    if len(near) == 1:
        return near[0]
    labels = names(sorted(label or "train" for label in groups))
    what = f"has no split {name}" if not near else f"has several splits that {name} may mean"
    raise ValueError(f"{path} {what}: name one of {labels}.")


def _said(path: Path, groups: dict[str, list[Path]], chosen: str) -> str:
    """What of a folder was read, where it may be other than was meant; else ""."""
    group, others = groups[chosen], sorted(label for label in groups if label != chosen)
    unnamed = [file.name for file in groups.get("", ())]
    if others:
        read = chosen or f"train ({names(unnamed)})"
        left = [*(label for label in others if label), *(unnamed if chosen else ())]
        return f"{path}: read its split {read}, and not {names(left)}."
    stems = {_COUNTER.sub("", _stem(file)) for file in group}
    if not chosen and len(stems) > 1:
        return f"{path}: read {len(group)} files as one split: {names(unnamed)}."
    return ""


def _splits(path: Path) -> dict[str, list[Path]]:
    """Files by split; a file whose name says no split is under ""."""
    if (path / _SPLITS).is_file():
        listed = files.read_object(path / _SPLITS, "a list of splits").get("splits")
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise ValueError(f"{path / _SPLITS} is damaged: it does not list names of splits.")
        labels = [Path(name).name for name in listed]
        return {label: _saved(path / label) for label in labels}
    if _is_saved(path):
        return {"": _saved(path)}
    found: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        hidden = any(part.startswith(".") for part in inside.parts)
        if file.is_file() and not hidden and formats.kind(file) and file.name not in _NOT_ROWS:
            found.setdefault(_label(inside), []).append(file)
    for label, group in found.items():
        _one_place(path, label or "train", group)
    return found


def _is_saved(folder: Path) -> bool:
    """Whether `datasets` saved a folder: a state.json may be another program's."""
    state = folder / _STATE
    if not state.is_file():
        return False
    return _FILES in files.read_object(state, "the state of a saved dataset")


def _saved(folder: Path) -> list[Path]:
    state = folder / _STATE
    if not folder.is_dir():
        raise ValueError(f"{folder} is not there, but the dataset that it is a split of names it.")
    if not state.is_file():
        return sorted(folder.glob("*.arrow"))
    listed = files.read_object(state, "the state of a saved dataset").get(_FILES)
    items = listed if isinstance(listed, list) else [None]
    named = [item.get("filename") if isinstance(item, dict) else None for item in items]
    found = [folder / Path(name).name for name in named if isinstance(name, str)]
    if len(found) < len(named):
        raise ValueError(f"{state} is damaged: it does not list the files of its dataset.")
    return found


def _stem(file: Path) -> str:
    return file.name.split(".")[0]


def _label(inside: Path) -> str:
    stem = _stem(inside)
    shard = _SHARD.match(stem)
    stem = shard["split"] if shard else _COUNTER.sub("", stem)
    if (shard and stem != "data") or _meaning(stem):
        return stem
    folders = [part for part in inside.parts[:-1] if _meaning(part)]
    return folders[-1] if folders else ""


def _meaning(text: str) -> str | None:
    words = re.split(r"[^a-z]+", text.lower())
    return next((name for name, known in _WORDS.items() if set(words) & set(known)), None)


def _one_place(path: Path, label: str, group: list[Path]) -> None:
    kinds = sorted({formats.kind(file) or "" for file in group})
    folders = sorted({str(file.parent) for file in group})
    if len(folders) > 1:
        raise ValueError(
            f"{path} holds several datasets with a split {label}: name one of {names(folders)}."
        )
    if len(kinds) > 1:
        raise ValueError(
            f"{path} holds {label} as {' and '.join(kinds)}, which may be the same rows twice: "
            "name one file."
        )
