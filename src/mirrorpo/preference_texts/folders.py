"""Folders of rows: which files are a split's, and which of its rows are asked for."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files

from . import formats
from .place import names

_SHARD = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}$")
_COUNTER = re.compile(r"[-_.]?\d+$")
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_STATE, _SPLITS = "state.json", "dataset_dict.json"
_NOT_ROWS = (_STATE, _SPLITS, "dataset_info.json", "dataset_infos.json")


@dataclass(frozen=True)
class Split:
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
    def parse(cls, text: str) -> "Split":
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
            raise ValueError(f"{text!r} is no split: write train, train[:100] or train[80%:].")
        first, last = (
            int(match[key].removesuffix("%")) if match[key] else None for key in ("first", "last")
        )
        return cls(match["name"], first, last, kinds == {True})

    def of(self, rows: list[Any]) -> list[Any]:
        """The rows that are asked for."""
        if not self.percent:
            return rows[self.first : self.last]
        first, last = (
            None if end is None else round(end * len(rows) / 100) for end in (self.first, self.last)
        )
        return rows[first:last]


def read(path: Path, split: str | None) -> tuple[formats.Rows, str]:
    """The rows of one split of a file or a folder.

    A folder is one that `datasets` saved, a clone of a hub's repository, or one of files whose
    names, or whose folders' names, hold train, test or validation. What names no split is "train".

    Args:
        path: a file is its one split, "train".
        split: as of `Split.parse`; None for the only one, or "train" among several.

    Returns:
        The rows, and what is to be said of the choice: "" where there was none.

    Raises:
        ValueError: no such path, no such split, several that the name may mean, or files that hold
            the same rows twice.
    """
    if not path.exists():
        raise ValueError(f"No dataset at {path}: it does not exist.")
    wanted = Split.parse(split or "train")
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
    label = chosen or "train"
    said = f"{path}: read its split {label}, of {names(sorted(groups))}." if len(groups) > 1 else ""
    return wanted.of(rows), said


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


def _splits(path: Path) -> dict[str, list[Path]]:
    """Files by split; those of no split's name under ""."""
    if (path / _SPLITS).is_file():
        listed = files.read_json(path / _SPLITS, "a list of splits").get("splits", [])
        return {str(name): _saved(path / str(name)) for name in listed}
    if (path / _STATE).is_file():
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


def _saved(folder: Path) -> list[Path]:
    state = folder / _STATE
    if not state.is_file():
        return sorted(folder.glob("*.arrow"))
    listed = files.read_json(state, "the state of a saved dataset").get("_data_files", [])
    return [folder / Path(str(item.get("filename"))).name for item in listed]


def _label(inside: Path) -> str:
    stem = inside.name.split(".")[0]
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
