"""What a bench stands on: the data that its agents learn from, and how they are scored.

`robots` and `texts` are the grounds that there are; the loop of `bench` knows neither.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from mirrorpo.execution.workers import Workplace
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.jobs import JobProgress, Trainer
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent


class Ground(Protocol):
    """The data of a bench, and where its agents are scored."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """What decides the run besides its settings."""
        ...

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksums of the files that decide the run."""
        ...

    def check(self, algorithms: Sequence[Algorithm]) -> None:
        """Raise ValueError where the bench cannot be had on this ground."""
        ...

    def episodes_seed(self, phase: str, seed: int) -> int:
        """The seed of the episodes, or samples, that score the agent of a seed."""
        ...

    @property
    def takes_all_draws(self) -> bool:
        """Whether final agents of all draws are trained together, so that many workers have work.

        Else they are trained one draw at a time.
        """
        ...

    def source_agents(self, report: JobProgress) -> list[SourceAgent]:
        """Rows to compare with."""
        ...

    def trainer(
        self, phase: str, draws: Sequence[int], report: JobProgress
    ) -> AbstractContextManager[Trainer]:
        """Trains agents of one phase on draws of the data. It states facts of the first draw."""
        ...

    def finish(self) -> None:
        """Called when all agents are logged."""
        ...


def settled(settings: BenchSettings) -> BenchSettings:
    """The settings of a bench with what the files that they name decide.

    Raises:
        ValueError: such a file is missing or damaged, or cannot be used.
    """
    if settings.is_of_texts:
        from mirrorpo.study import texts

        return texts.settled(settings)
    from mirrorpo.study import robots

    return robots.settled(settings)


def of(
    settings: BenchSettings,
    out: Path,
    cache: Path | None,
    place: Workplace | None,
    keep_agents: bool,
) -> Ground:
    """The ground of a bench.

    Args:
        settings: the settings of the bench.
        out: its folder.
        cache: folder of what benches share; None for the user's cache.
        place: where agents are trained and scored; None for this process.
        keep_agents: whether each cell's first agent is kept in `out`.

    Raises:
        ValueError: an unknown name, or a file that is missing, damaged or too small.
    """
    if settings.is_of_texts:
        from mirrorpo.study import texts

        return texts.TextGround(settings, texts.task_of(settings), out, cache, place, keep_agents)
    from mirrorpo.study import robots

    return robots.of(settings, out, cache, place, keep_agents)
