"""One column of a bench, a variant of the data: its searches, its final agents, and their log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mirrorpo.study import proposals, trials, tuned
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.jobs import Job, JobProgress, Outcome, Trainer
from mirrorpo.study.phases import FINAL, SEARCH
from mirrorpo.study.records import AgentRecord, BenchLog, hyperparameters_text
from mirrorpo.study.settings import BenchSettings

SEARCH_SEED_BASE = 1_000_000


@dataclass
class Column:
    """One variant's column of the table while it is computed.

    Attributes:
        variant: the variant of the data.
        settings: the settings of the bench.
        episodes_seed: gives the seed of an agent's episodes, from the phase and the agent's seed.
        log: the log of all agents.
        report: called with what is being computed.
    """

    variant: str
    settings: BenchSettings
    episodes_seed: Callable[[str, int], int]
    log: BenchLog
    report: JobProgress
    _planned: dict[str, int] = field(default_factory=dict)

    def planned(self, algorithm: Algorithm) -> int:
        """Agents of one cell, as far as is known by now: a search may grow."""
        if algorithm.text not in self._planned:
            self.search(algorithm)
        return self._planned[algorithm.text] + self.settings.scoring.seeds

    def search(self, algorithm: Algorithm) -> trials.Search | None:
        """How far the search of one cell has come; None where there is nothing to choose."""
        settings, finalists = self.settings, self.settings.finalists or 0
        seeds = range(SEARCH_SEED_BASE, SEARCH_SEED_BASE + settings.search_seeds)
        records = self.log.of(self.variant, algorithm.text, SEARCH)
        found = None
        if settings.search and settings.tune_by == "trials" and algorithm.search_ranges:
            count = settings.trials or 1
            found = trials.over_ranges(algorithm.search_ranges, count, seeds, records, finalists)
        elif settings.search and settings.tune_by == "grid" and len(algorithm.grid_points) > 1:
            grid, points = algorithm.search_grid, algorithm.grid_points
            found = trials.over_grid(grid, points, seeds, records, finalists)
        self._planned[algorithm.text] = found.planned if found else 0
        return found

    def is_complete(
        self, phase: str, draws: Sequence[int], algorithms: Sequence[Algorithm]
    ) -> bool:
        """Whether the log holds all agents of a phase and draws; the phases before are complete."""
        if phase == SEARCH:
            found = [self.search(algorithm) for algorithm in algorithms]
            return not any(search and search.waiting for search in found)
        return all(
            job.key in self.log
            for algorithm in algorithms
            for job in self._jobs(phase, draws, algorithm)
        )

    def measure(
        self, phase: str, draws: Sequence[int], algorithms: Sequence[Algorithm], trainer: Trainer
    ) -> None:
        """Train and score what the log lacks of a phase and draws.

        The work comes in independent heaps, one for each batch of trials that the searches ask for.
        """
        while True:
            batches = [
                batch
                for algorithm in algorithms
                for batch in self._batches(
                    self._jobs(phase, draws, algorithm), trainer.agents_at_once
                )
            ]
            if not batches:
                return
            self._report(batches[0])
            for position, outcomes in trainer.work_off(batches):
                for job, outcome in zip(batches[position], outcomes, strict=True):
                    self._remember(job, outcome)
                self._report(batches[position])

    def _jobs(self, phase: str, draws: Sequence[int], algorithm: Algorithm) -> list[Job]:
        """The jobs of a phase on some draws; of a search, the jobs of the trials that wait."""
        if phase == SEARCH:
            return self._search_jobs(algorithm)
        return [job for job in self._final_jobs(algorithm) if job.draw in draws]

    def _search_jobs(self, algorithm: Algorithm) -> list[Job]:
        search = self.search(algorithm)
        if search is None or not search.waiting:
            return []
        # One seed for all losses: those of equal number of hyper-parameters begin alike.
        points = proposals.propose(search, self.settings.data_seed)
        draws = self.settings.searched
        return [
            self._job(algorithm, SEARCH, point, seed, draws[at % len(draws)], number)
            for number, point in points.items()
            for at, seed in enumerate(search.seeds)
        ]

    def _final_jobs(self, algorithm: Algorithm) -> list[Job]:
        chosen = self._chosen(algorithm)
        return [
            self._job(algorithm, FINAL, chosen, seed, self.settings.draw_of(seed))
            for seed in range(self.settings.scoring.seeds)
        ]

    def _job(
        self,
        algorithm: Algorithm,
        phase: str,
        point: Mapping[str, Any],
        seed: int,
        draw: int,
        trial: int = 0,
    ) -> Job:
        return Job(
            self.variant,
            algorithm.text,
            replace(algorithm.objective, **point),
            phase,
            seed,
            hyperparameters_text(point),
            draw,
            self.episodes_seed(phase, seed),
            trial,
        )

    def _chosen(self, algorithm: Algorithm) -> Mapping[str, float]:
        """Hyper-parameters of the final agents; needs the search to be complete."""
        search = self.search(algorithm)
        if search is None:
            return tuned.hyperparameters(self.settings.task, self.variant, algorithm)
        return search.best.point

    def _batches(self, jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
        """Those jobs that the log lacks, `size` of one draw at a time."""
        of_draws: dict[int, list[Job]] = {}
        for job in jobs:
            if job.key not in self.log:
                of_draws.setdefault(job.draw, []).append(job)
        for left in of_draws.values():
            for first in range(0, len(left), size):
                yield left[first : first + size]

    def _report(self, batch: Sequence[Job]) -> None:
        self.report(f"{self.variant}: {batch[0].algorithm} ({batch[0].phase})")

    def _remember(self, job: Job, outcome: Outcome) -> None:
        record = AgentRecord(
            task=self.settings.task,
            variant=job.variant,
            algorithm=job.algorithm,
            phase=job.phase,
            hyperparameters=job.hyperparameters,
            seed=job.seed,
            data_draw=job.draw,
            episodes_seed=job.episodes_seed,
            trial=job.trial,
            **outcome.measured,
        )
        self.log.add(record, outcome.curves)
