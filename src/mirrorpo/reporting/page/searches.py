"""A discovery as the page shows it: fitness by generation, validation, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirrorpo import bounded, json_lines, runs
from mirrorpo.discovery import artefact, search_log
from mirrorpo.discovery.artefact import Discovery
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.quantities import EPISODE_LENGTH

_KNOWN = 2
"""The start and the centre, trained anew in each generation to compare with."""


@dataclass(frozen=True)
class SearchPart:
    """One search of the page.

    Attributes:
        folder: the folder of the run.
        generations: one line each, as in metrics.jsonl.
        validations: one line each, as in validation.jsonl.
        found: the discovered objective; None while the search runs.
    """

    folder: Folder
    generations: list[Mapping[str, Any]]
    validations: list[Mapping[str, Any]]
    found: Discovery | None

    @property
    def finished(self) -> bool:
        """Whether the search has come to its end."""
        return self.found is not None

    @property
    def seconds(self) -> float:
        """Wall time of all generations and validations."""
        lines = (*self.generations, *self.validations)
        return float(sum(line.get("seconds") or 0.0 for line in lines))

    @property
    def agents(self) -> int:
        """Trained so far, one for each variant.

        It counts the populations, screened or in full, the start, the centre and the losses to beat
        each time, and validations.
        """
        validated = self._validated
        return self._columns * (sum(map(self._candidates, self.generations)) + validated)

    @property
    def environment_steps(self) -> int:
        """The most that evaluation can have taken, of generations and validations.

        Episodes may end early.
        """
        settings = self.folder.settings
        fitness = sum(map(self._candidates, self.generations)) * int(settings["episodes"])
        validated = self._validated
        episodes = fitness + validated * int(settings["validation_episodes"])
        return self._columns * episodes * EPISODE_LENGTH

    @property
    def _columns(self) -> int:
        """Columns of the fitness: variants of the data on each task."""
        settings = self.folder.settings
        return len(settings["variants"]) * len(str(settings["task"]).split(","))

    def _candidates(self, generation: Mapping[str, Any]) -> int:
        """Trainings of a generation on one variant."""
        population = len(generation["fitness"])
        screened = self.folder.settings.get("screen_epochs") is not None
        kept = max(round(self.folder.settings["screen_keep"] * population), 1) if screened else 0
        return population + kept + _KNOWN + self._rivals

    @property
    def _validated(self) -> int:
        """Trainings of the validations on one variant; the losses to beat are trained once."""
        each = [int(line["seeds"]) for line in self.validations]
        return sum(each) + self._rivals * max(each, default=0)

    @property
    def _rivals(self) -> int:
        return len(self.folder.settings.get("against") or ())

    @property
    def diverged(self) -> int:
        """Agents of generations and validations that diverged."""
        lines = (*self.generations, *self.validations)
        return sum(int(line.get("diverged") or 0) for line in lines)


def read(folder: Folder) -> SearchPart:
    """A search, finished or not.

    Raises:
        ValueError: a damaged objective's file.
    """
    result = folder.path / search_log.RESULT
    bounded.check_size(folder.path / runs.METRICS, "the log of a search", bounded.LOG)
    bounded.check_size(result, "a search's result", bounded.DOCUMENT)
    return SearchPart(
        folder,
        json_lines.read(folder.path / runs.METRICS),
        json_lines.read(folder.path / search_log.VALIDATIONS),
        artefact.load(result) if result.is_file() else None,
    )
