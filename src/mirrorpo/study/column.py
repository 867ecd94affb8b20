"""One column of a bench, a variant of the data: its searches, its final agents, and their log."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files
from mirrorpo.execution.batch import Order, Scored
from mirrorpo.execution.executor import Workers
from mirrorpo.objectives import Objective
from mirrorpo.study import kept_agents, proposals, trials, tuned
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.measures import AGREEMENT, MEASURE, RETURN
from mirrorpo.study.recorded import Scene
from mirrorpo.study.records import AgentRecord, Log, hyperparameters_text
from mirrorpo.study.settings import BenchSettings

SEARCH_SEED_BASE = 1_000_000
SEARCH_EPISODES_SEED = 7_001
FINAL_EPISODES_SEED = 2_000_000
"""An agent's episodes have this seed plus the agent's: never those of another agent of its cell,
nor the search's; agents of equal number in two cells meet the same start states."""


@dataclass(frozen=True)
class Job:
    """One agent to train and score; see `AgentRecord` for the fields."""

    objective: Objective
    phase: str
    seed: int
    hyperparameters: str
    draw: int
    episodes_seed: int
    trial: int


@dataclass(frozen=True)
class Keep:
    """Where a bench keeps agents, and the task that they act on."""

    task: Scene
    folder: Path


@dataclass
class Column:
    """One variant's column of the table while it is computed.

    Attributes:
        variant: of the data.
        settings: of the bench.
        rows: pairs that agents are trained on; None for all of a file's.
        log: of all agents.
        report: told what is being computed.
        keep: where final agents are kept; None for nowhere.
    """

    variant: str
    settings: BenchSettings
    rows: int | None
    log: Log
    report: Callable[[str], None]
    keep: Keep | None
    _planned: dict[str, int] = field(default_factory=dict)

    def planned(self, algorithm: Algorithm) -> int:
        """Agents of one cell, as far as is known by now: a search may grow."""
        if algorithm.text not in self._planned:
            self.search(algorithm)
        return self._planned[algorithm.text] + self.settings.scoring.seeds

    def search(self, algorithm: Algorithm) -> trials.Search | None:
        """How far the search of one cell has come; None where there is nothing to choose."""
        settings, seeds = self.settings, self._search_seeds
        records = self.log.of(self.variant, algorithm.text, "search")
        found = None
        if settings.search and settings.tune_by == "trials" and algorithm.search_ranges:
            count = settings.trials or 1
            found = trials.over_ranges(algorithm.search_ranges, count, seeds, records)
        elif settings.search and settings.tune_by == "grid" and len(algorithm.grid_points) > 1:
            grid = algorithm.search_grid
            found = trials.over_grid(grid, algorithm.grid_points, seeds, records)
        self._planned[algorithm.text] = found.planned * len(seeds) if found else 0
        return found

    def is_complete(self, phase: str, draw: int, algorithms: Sequence[Algorithm]) -> bool:
        """Whether the log holds all agents of a phase and draw; the phases before are complete."""
        if phase == "search":
            found = [self.search(algorithm) for algorithm in algorithms]
            return not any(search and search.waiting for search in found)
        return all(
            self._key(algorithm, job) in self.log
            for algorithm in algorithms
            for job in self._jobs(phase, draw, algorithm)
        )

    def measure(
        self, phase: str, draw: int, algorithms: Sequence[Algorithm], workers: Workers
    ) -> None:
        """Train and score what the log lacks of a phase and draw: heaps of independent work, one
        for each batch of trials that the searches ask for."""
        while True:
            batches = [
                (algorithm, batch)
                for algorithm in algorithms
                for batch in self._batches(
                    algorithm, self._jobs(phase, draw, algorithm), workers.agents_at_once
                )
            ]
            if not batches:
                return
            self._report(*batches[0])
            orders = [self._order(batch, workers.agents_at_once) for _, batch in batches]
            for position, scored in workers.work_off(orders):
                self._remember(*batches[position], scored)
                self._report(*batches[position])

    def _jobs(self, phase: str, draw: int, algorithm: Algorithm) -> list[Job]:
        """All of a phase and draw; of a search, those of the trials that wait."""
        if phase == "search":
            return self._search_jobs(algorithm)
        return [job for job in self._final_jobs(algorithm) if job.draw == draw]

    @property
    def _search_seeds(self) -> range:
        return range(SEARCH_SEED_BASE, SEARCH_SEED_BASE + self.settings.search_seeds)

    def _search_jobs(self, algorithm: Algorithm) -> list[Job]:
        search = self.search(algorithm)
        if search is None or not search.waiting:
            return []
        # One seed for all losses: those of equal number of hyper-parameters begin alike.
        points = proposals.propose(search, self.settings.data_seed)
        draw = self.settings.search_draw
        return [
            self._job(algorithm, "search", point, seed, draw, number)
            for number, point in points.items()
            for seed in self._search_seeds
        ]

    def _final_jobs(self, algorithm: Algorithm) -> list[Job]:
        chosen = self._chosen(algorithm)
        return [
            self._job(algorithm, "final", chosen, seed, self.settings.draw_of(seed))
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
        objective = replace(algorithm.objective, **point)
        episodes_seed = FINAL_EPISODES_SEED + seed if phase == "final" else SEARCH_EPISODES_SEED
        return Job(objective, phase, seed, hyperparameters_text(point), draw, episodes_seed, trial)

    def _chosen(self, algorithm: Algorithm) -> Mapping[str, float]:
        """Hyper-parameters of the final agents; needs the search to be complete."""
        search = self.search(algorithm)
        if search is None:
            return tuned.hyperparameters(self.settings.task, self.variant, algorithm)
        return search.best.point

    def _key(self, algorithm: Algorithm, job: Job) -> tuple:
        return self.variant, algorithm.text, job.phase, job.hyperparameters, job.seed

    def _batches(
        self, algorithm: Algorithm, jobs: Sequence[Job], size: int
    ) -> Iterator[Sequence[Job]]:
        """Those jobs that the log lacks, `size` at a time."""
        left = [job for job in jobs if self._key(algorithm, job) not in self.log]
        for first in range(0, len(left), size):
            yield left[first : first + size]

    def _order(self, batch: Sequence[Job], size: int) -> Order:
        settings, final = self.settings, batch[0].phase == "final"
        return Order(
            objectives=[job.objective for job in batch],
            seeds=[job.seed for job in batch],
            variant=self.variant,
            draw=batch[0].draw,
            label_seed=batch[0].draw,
            rows=self.rows,
            training=settings.training,
            episodes=settings.scoring.episodes if final else settings.search_episodes,
            episodes_seeds=[job.episodes_seed for job in batch],
            deterministic=settings.actions == "mean",
            curve_episodes=settings.curve_episodes if final else None,
            size=size,
        )

    def _report(self, algorithm: Algorithm, batch: Sequence[Job]) -> None:
        self.report(f"{self.variant}: {algorithm.text} ({batch[0].phase})")

    def _remember(self, algorithm: Algorithm, batch: Sequence[Job], scored: Scored) -> None:
        """Log the agents of a batch."""
        for position, job in enumerate(batch):
            diverged = bool(scored.diverged[position])
            score = scored.returns[position].astype(np.float64)
            episodes = len(score)
            error = float(np.std(score, ddof=1) / math.sqrt(episodes)) if episodes > 1 else None
            record = AgentRecord(
                task=self.settings.task,
                variant=self.variant,
                algorithm=algorithm.text,
                phase=job.phase,
                hyperparameters=job.hyperparameters,
                seed=job.seed,
                data_draw=job.draw,
                episodes_seed=job.episodes_seed,
                trial=job.trial,
                return_mean=None if diverged else float(score.mean()),
                return_standard_error=None if diverged else error,
                episodes=episodes,
                diverged=diverged,
                train_seconds=round(scored.train_seconds / len(batch), 3),
                evaluate_seconds=round(scored.evaluate_seconds / len(batch), 3),
                measures={} if scored.on_task else {MEASURE: float(score.mean()) / 100},
            )
            if self.keep and job.phase == "final" and job.seed == 0 and not diverged:
                name = files.file_name(f"{self.variant}-{algorithm.text}")
                kept_agents.save(
                    self.keep.folder / f"{name}.safetensors",
                    f"{algorithm.text} ({self.variant})",
                    jax.tree.map(lambda x, at=position: x[at], scored.policies),
                    self.keep.task,
                    score,
                    job.episodes_seed,
                    job.objective,
                    self.settings.training,
                    job.seed,
                    RETURN if scored.on_task else AGREEMENT,
                )
            agent_curves: dict[str, Any] = {
                name: [_rounded(x) for x in values[position]]
                for name, values in scored.curves.items()
            }
            self.log.add(record, {"stage": list(scored.stages), **agent_curves})


def _rounded(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None
