"""Run folders, read into the parts of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorpo.report.page import benches, folders, judgements, searches, trainings
from mirrorpo.report.page.benches import BenchPart, Place
from mirrorpo.report.page.folders import Folder
from mirrorpo.report.page.judgements import JudgePart
from mirrorpo.report.page.searches import SearchPart
from mirrorpo.report.page.trainings import TrainingPart


@dataclass(frozen=True)
class Parts:
    """Everything that a report shows, read from run folders."""

    folders: Sequence[Folder]
    benches: Sequence[BenchPart]
    searches: Sequence[SearchPart]
    trainings: Sequence[TrainingPart]
    judgements: Sequence[JudgePart]

    @property
    def places(self) -> list[Place]:
        """The leaderboard of all benches: by task and variant, in the order of the runs, and then
        the highest mean first."""
        found = [place for bench in self.benches for place in benches.places(bench)]
        groups = list(dict.fromkeys((place.task, place.variant) for place in found))

        def key(place: Place) -> tuple[int, float]:
            mean = place.cell.summary.mean
            group = groups.index((place.task, place.variant))
            return group, -mean if math.isfinite(mean) else math.inf

        return sorted(found, key=key)


def read(paths: Sequence[Path]) -> Parts:
    """Read run folders; none is written to.

    Raises:
        ValueError: see `folders.read`; damaged files.
    """
    found = folders.read(paths)
    return Parts(
        found,
        [benches.read(folder) for folder in found if folder.kind in ("bench", "sentiment")],
        [searches.read(folder) for folder in found if folder.kind == "discover"],
        [trainings.read(folder) for folder in found if folder.kind in trainings.KINDS],
        [judgements.read(folder) for folder in found if folder.kind == "judge"],
    )
