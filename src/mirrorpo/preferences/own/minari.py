"""Minari's datasets: a folder with an HDF5 file of one group per episode, and JSON beside it.

https://minari.farama.org/content/dataset_standards
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import bounded
from mirrorpo.preferences.own import hdf5
from mirrorpo.preferences.own.columns import ByteBudget, Columns

_METADATA = "metadata.json"
STEPS = "main_data.hdf5"
_EPISODE = re.compile(r"episode_(\d{1,9})")
_NAMES = ("observations", "actions", "rewards", "terminations", "truncations", "episode")


def folder_of(path: Path) -> Path | None:
    """Where the two files of a dataset are: the folder itself, or `data` in it; None elsewhere."""
    places = (path, path / "data")
    return next((place for place in places if (place / _METADATA).is_file()), None)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Columns]:
    """All episodes' steps, one after the other, with a column `episode`.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        ValueError: no dataset, another kind of storage, or damaged.
    """
    folder = folder_of(path)
    if folder is None:
        raise ValueError(
            f"{path} is a folder without {_METADATA}: a Minari dataset has one, in the folder or "
            "in its subfolder data."
        )
    about = _metadata(folder / _METADATA)
    if about.get("data_format", "hdf5") != "hdf5":
        raise ValueError(
            f"{folder / _METADATA}: data_format is {about['data_format']!r:.40}; only hdf5 is "
            "read. Create the dataset with data_format='hdf5'."
        )
    steps = folder / STEPS
    if not steps.is_file():
        raise ValueError(f"{folder} has no {STEPS}.")
    with hdf5.opened_file(steps) as file:
        numbers = sorted(int(found[1]) for name in file if (found := _EPISODE.fullmatch(name)))
        if not numbers:
            raise ValueError(f"{steps} has no episode: no group episode_0.")
        budget = ByteBudget(str(steps))
        read = _Reader(file, steps, numbers, budget)
        yield Columns(str(steps), _NAMES, read, _environment(about))


class _Reader:
    """Joins an array of all episodes."""

    def __init__(self, file: Any, path: Path, numbers: list[int], budget: ByteBudget):
        self.file, self.path, self.numbers, self.budget = file, path, numbers, budget
        self.lengths: list[int] = []

    def __call__(self, name: str) -> np.ndarray:
        if not self.lengths:
            self.lengths = [len(self._one(number, "rewards")) for number in self.numbers]
        if name == "episode":
            return np.repeat(np.array(self.numbers), self.lengths)
        parts: list[np.ndarray] = []
        for number, length in zip(self.numbers, self.lengths, strict=True):
            part = self._one(number, name)
            # What is seen after the last step belongs to no step.
            if name == "observations" and len(part) == length + 1:
                part = part[:-1]
            if len(part) != length:
                raise ValueError(
                    f"{self.path}: episode_{number}/{name} has {len(part)} rows, but its rewards "
                    f"have {length}."
                )
            if parts and part.shape[1:] != parts[0].shape[1:]:
                raise ValueError(
                    f"{self.path}: episode_{number}/{name} has rows of shape {part.shape[1:]}, "
                    f"those before of {parts[0].shape[1:]}."
                )
            parts.append(part)
        return np.concatenate(parts)

    def _one(self, number: int, name: str) -> np.ndarray:
        found = hdf5.array(self.file, f"episode_{number}/{name}", self.path, self.budget)
        if not found.ndim:
            raise ValueError(f"{self.path}: episode_{number}/{name} is one number, not a list.")
        return found


def _metadata(path: Path) -> Mapping[str, Any]:
    try:
        found = bounded.parse_json(bounded.read_text(path, "a dataset's metadata"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} holds no JSON object.")
    return found


def _environment(about: Mapping[str, Any]) -> str | None:
    try:
        found = bounded.parse_json(about["env_spec"])["id"]
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, str) else None
