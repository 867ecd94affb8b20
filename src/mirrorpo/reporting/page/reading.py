"""Run folders, read into the parts of a page."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mirrorpo.reporting import comparison
from mirrorpo.reporting.page import benches, folders, judgements, searches, trainings
from mirrorpo.reporting.page.benches import BenchPart, Standing
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.judgements import JudgePart
from mirrorpo.reporting.page.searches import SearchPart
from mirrorpo.reporting.page.trainings import TrainingPart
from mirrorpo.run_kinds import Kind

_MOST_LETTERS = 300


@dataclass(frozen=True, eq=False)
class Parts:
    """Everything that a report shows, read from run folders.

    Attributes:
        folders: in the order given; of a damaged one nothing else is here.
        benches, searches, trainings, judgements: of the folders of these kinds.
    """

    folders: Sequence[Folder]
    benches: Sequence[BenchPart]
    searches: Sequence[SearchPart]
    trainings: Sequence[TrainingPart]
    judgements: Sequence[JudgePart]

    @cached_property
    def places(self) -> list[Standing]:
        """The leaderboard of all benches.

        It is sorted by task and variant, in the order of the runs, and then the highest mean first.
        """
        found = [place for bench in self.benches for place in benches.places(bench)]
        groups = dict.fromkeys((place.task, place.variant) for place in found)
        order = {key: position for position, key in enumerate(groups)}

        def key(place: Standing) -> tuple[int, float]:
            mean = place.cell.summary.mean
            group = order[place.task, place.variant]
            return group, -mean if math.isfinite(mean) else math.inf

        return sorted(found, key=key)

    @property
    def damaged(self) -> list[Folder]:
        """Folders that could not be read; the report shows only why."""
        return [folder for folder in self.folders if folder.damage is not None]

    def of(self, folder: Folder) -> Parts:
        """The parts of one folder."""
        return self._keeping([folder], lambda part: part.folder is folder)

    def without(self, folder: Folder, damage: str) -> Parts:
        """All but the parts of one folder, which is damaged."""
        told = dataclasses.replace(folder, damage=damage)
        kept = [told if one is folder else one for one in self.folders]
        return self._keeping(kept, lambda part: part.folder is not folder)

    def _keeping(self, kept: Sequence[Folder], wanted: Callable[[Any], bool]) -> Parts:
        return Parts(
            kept,
            [part for part in self.benches if wanted(part)],
            [part for part in self.searches if wanted(part)],
            [part for part in self.trainings if wanted(part)],
            [part for part in self.judgements if wanted(part)],
        )


@dataclass(frozen=True)
class Reader:
    """How runs of one kind come into a report.

    Attributes:
        section: the field of `Parts` that takes them.
        read: makes a part of a run's folder; raises ValueError for a damaged one.
    """

    section: Literal["benches", "searches", "trainings", "judgements"]
    read: Callable[[Folder], Any]


READERS: Mapping[Kind, Reader] = {
    comparison.KIND: Reader("benches", benches.read),
    "discover": Reader("searches", searches.read),
    "judge": Reader("judgements", judgements.read),
    **{kind: Reader("trainings", trainings.read) for kind in trainings.KINDS},
}
"""By kind of run. Runs of any other kind are in the list of runs alone."""


def read(paths: Sequence[Path]) -> Parts:
    """Read run folders; none is written to. A damaged one costs its own parts.

    Raises:
        ValueError: see `folders.read`; or all folders are damaged, with the first one's damage.
    """
    parts = Parts(folders.read(paths), [], [], [], [])
    for folder in parts.folders:
        if folder.damage is None:
            parts = _with(parts, folder)
    return _refuse_all_damaged(parts)


def sound(parts: Parts, attempt: Callable[[Parts], object]) -> Parts:
    """Leave out the parts of those folders that an attempt to show them alone fails on.

    Raises:
        ValueError: all folders are damaged.
    """
    for folder in parts.folders:
        if folder.damage is not None:
            continue
        try:
            attempt(parts.of(folder))
        # A folder is data from outside: whatever is wrong with it costs its own parts.
        except Exception as error:
            parts = parts.without(folder, told(error))
    return _refuse_all_damaged(parts)


def told(error: Exception) -> str:
    """What is wrong with a folder, in one line. With MIRRORPO_TRACEBACK the error is raised."""
    if os.environ.get("MIRRORPO_TRACEBACK"):
        raise error
    line = " ".join(str(error).split()) or "no more is known"
    if isinstance(error, KeyError):
        line = f"a value is missing in one of its files: {error}."
    elif not isinstance(error, (ValueError, OSError)):
        # Of other errors the text alone says little.
        line = f"{type(error).__name__}: {line}"
    return line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 1]}…"


def _with(parts: Parts, folder: Folder) -> Parts:
    reader = READERS.get(folder.kind)
    if reader is None:
        return parts
    try:
        kept = [*getattr(parts, reader.section), reader.read(folder)]
    except Exception as error:
        return parts.without(folder, told(error))
    return dataclasses.replace(parts, **{reader.section: kept})


def _refuse_all_damaged(parts: Parts) -> Parts:
    if len(parts.damaged) == len(parts.folders):
        first = parts.damaged[0]
        raise ValueError(f"{first.path} is damaged: {first.damage}")
    return parts
