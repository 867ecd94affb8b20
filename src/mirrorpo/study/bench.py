"""The bench: every algorithm on every variant, hyper-parameters searched, scored by true return.

The search has its own seeds and its own evaluation episodes; the reported score comes from
fresh agents on fresh episodes. Every agent is logged as it is finished, and the same command
continues after a kill to the same table.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, runs
from mirrorpo.control import (
    agents,
    data,
    dataset_statistics,
    evaluation,
    learner,
    pools,
    sources,
    tasks,
    variants,
)
from mirrorpo.control.devices import items_at_once
from mirrorpo.objectives import Objective
from mirrorpo.study import tuned
from mirrorpo.study.algorithms import Algorithm, load
from mirrorpo.study.records import AgentRecord, Log, hyperparameters_text
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent

SEARCH_SEED_BASE = 1_000_000
SEARCH_EPISODES_SEED = 7_001
FINAL_EPISODES_SEED = 7_002


@dataclass(frozen=True)
class Progress:
    """Where a bench stands, given to its `progress` callback.

    Attributes:
        done: agents finished, earlier runs of the same command included.
        total: agents of the whole bench.
        doing: what is being computed.
    """

    done: int
    total: int
    doing: str


@dataclass(frozen=True)
class Job:
    """One agent to train and score."""

    objective: Objective
    phase: str
    seed: int
    hyperparameters: str


def run(
    settings: BenchSettings,
    out: Path,
    progress: Callable[[Progress], None] = lambda point: None,
    cache: Path | None = None,
) -> tuple[Log, list[SourceAgent]]:
    """Measure what `settings` asks for, or what is left of it.

    Args:
        settings: see `BenchSettings`.
        out: run folder, new or of the same settings.
        progress: called after each batch of agents.
        cache: folder for simulated trajectories; None for the user's cache.

    Returns:
        The log of all agents, and the source agents' returns. `out` then holds
        results.parquet and results.csv, one row a trained agent, sources.json, and tuned.json,
        the hyper-parameters of each cell.

    Raises:
        ValueError: an unknown name, a setting out of range, a folder of another run, or files
            that do not fit the task. All names are checked before anything is computed.
    """
    algorithms = [load(text) for text in settings.algorithms]
    for algorithm in algorithms:
        learner.stage_epochs(algorithm.objective, settings.epochs)
    faults = [variants.parse(text) for text in settings.variants]
    task = tasks.load(settings.task, settings.backend)
    own = sources.choose(settings.task, settings.better, settings.worse, settings.rows)
    if own.rows < settings.minibatch:
        raise ValueError(f"rows ({own.rows}) is fewer than a minibatch of {settings.minibatch}.")
    start = agents.load(own.start)[0] if own.start is not None else None
    for name in (own.better, own.worse):
        evaluation.check_sizes(agents.load(name)[0], task)

    runs.claim(out, {**asdict(settings), **asdict(own)})
    log = Log(out / runs.METRICS)
    total = len(faults) * sum(
        _search_size(algorithm, settings) + settings.seeds for algorithm in algorithms
    )

    def report(doing: str) -> None:
        progress(Progress(min(len(log), total), total, doing))

    report("source agents")
    source_agents = _source_agents(out, task, own, settings)
    pool = None
    for fault in faults:
        cell = _Cell(task, str(fault), settings, log, report)
        if all(cell.is_complete(algorithm) for algorithm in algorithms):
            continue
        if pool is None:
            report("trajectories")
            pool = pools.cached(task, own.rows, settings.seed, own.better, own.worse, cache, report)
        dataset = data.label(pool, fault, settings.seed)
        dataset_statistics.remember(out, dataset_statistics.describe(dataset))
        cell.prepared = learner.prepare(dataset, settings.training, start)
        for algorithm in algorithms:
            cell.measure(algorithm)
    frame = log.frame()
    files.write_atomically(out / "results.parquet", lambda path: frame.to_parquet(path))
    files.write_atomically(out / "results.csv", lambda path: frame.to_csv(path, index=False))
    content = {"task": settings.task, "algorithms": tuned.found(frame)}
    files.write_json(out / "tuned.json", {**content, "settings": asdict(settings)})
    return log, source_agents


@dataclass
class _Cell:
    """One variant's column of the table while it is computed."""

    task: tasks.Task
    variant: str
    settings: BenchSettings
    log: Log
    report: Callable[[str], None]
    prepared: learner.Prepared | None = None

    def is_complete(self, algorithm: Algorithm) -> bool:
        if any(self._key(algorithm, job) not in self.log for job in self._search_jobs(algorithm)):
            return False
        return all(self._key(algorithm, job) in self.log for job in self._final_jobs(algorithm))

    def measure(self, algorithm: Algorithm) -> None:
        """Search, then score."""
        self._work_off(algorithm, self._search_jobs(algorithm))
        self._work_off(algorithm, self._final_jobs(algorithm))

    def _search_jobs(self, algorithm: Algorithm) -> list[Job]:
        if not _search_size(algorithm, self.settings):
            return []
        seeds = range(SEARCH_SEED_BASE, SEARCH_SEED_BASE + self.settings.search_seeds)
        return [
            self._job(algorithm, "search", point, seed)
            for point in algorithm.grid_points
            for seed in seeds
        ]

    def _final_jobs(self, algorithm: Algorithm) -> list[Job]:
        chosen = self._chosen(algorithm)
        return [self._job(algorithm, "final", chosen, seed) for seed in range(self.settings.seeds)]

    def _job(self, algorithm: Algorithm, phase: str, point: Mapping[str, Any], seed: int) -> Job:
        objective = replace(algorithm.objective, **point)
        return Job(objective, phase, seed, hyperparameters_text(point))

    def _chosen(self, algorithm: Algorithm) -> Mapping[str, float]:
        """Hyper-parameters of the final agents; needs the search to be complete."""
        search = self._search_jobs(algorithm)
        if not search:
            return tuned.hyperparameters(self.settings.task, self.variant, algorithm)
        scores: dict[str, list[float]] = {}
        for job in search:
            record = self.log.get(self._key(algorithm, job))
            # A diverged agent ranks below every other.
            score = -math.inf if record.return_mean is None else record.return_mean
            scores.setdefault(job.hyperparameters, []).append(score)
        return json.loads(max(scores, key=lambda point: float(np.mean(scores[point]))))

    def _key(self, algorithm: Algorithm, job: Job) -> tuple:
        return self.variant, algorithm.text, job.phase, job.hyperparameters, job.seed

    def _work_off(self, algorithm: Algorithm, jobs: Sequence[Job]) -> None:
        left = [job for job in jobs if self._key(algorithm, job) not in self.log]
        size = jax.local_device_count() * items_at_once()
        for first in range(0, len(left), size):
            batch = left[first : first + size]
            self.report(f"{self.variant}: {algorithm.text} ({batch[0].phase})")
            self._train_and_score(algorithm.text, batch, size)

    def _train_and_score(self, text: str, batch: Sequence[Job], size: int) -> None:
        assert self.prepared is not None
        settings = self.settings
        final = batch[0].phase == "final"
        # Always the same number of agents a call, so that nothing is compiled twice.
        padded = [*batch, *[batch[-1]] * (size - len(batch))]
        began = time.perf_counter()
        trained = learner.train(
            [job.objective for job in padded],
            self.prepared,
            seeds=[job.seed for job in padded],
            settings=settings.training,
        )
        curves = jax.tree.map(np.asarray, trained.curves)
        trained_at = time.perf_counter()
        episodes = settings.episodes if final else settings.search_episodes
        returns = evaluation.returns(
            trained.policies,
            self.task,
            episodes,
            FINAL_EPISODES_SEED if final else SEARCH_EPISODES_SEED,
            settings.deterministic,
        )
        scored_at = time.perf_counter()
        for position, job in enumerate(batch):
            diverged = bool(trained.diverged[position])
            score = returns[position].astype(np.float64)
            error = float(np.std(score, ddof=1) / math.sqrt(episodes)) if episodes > 1 else None
            record = AgentRecord(
                task=settings.task,
                variant=self.variant,
                algorithm=text,
                phase=job.phase,
                hyperparameters=job.hyperparameters,
                seed=job.seed,
                return_mean=None if diverged else float(score.mean()),
                return_standard_error=None if diverged else error,
                episodes=episodes,
                diverged=diverged,
                train_seconds=round((trained_at - began) / len(batch), 3),
                evaluate_seconds=round((scored_at - trained_at) / len(batch), 3),
            )
            agent_curves: dict[str, Any] = {
                name: [_rounded(x) for x in values[position]]
                for name, values in curves._asdict().items()
            }
            self.log.add(record, {"stage": list(trained.stages), **agent_curves})


def _search_size(algorithm: Algorithm, settings: BenchSettings) -> int:
    """Agents that the search trains for one cell; none where there is nothing to choose."""
    points = len(algorithm.grid_points)
    return points * settings.search_seeds if settings.search and points > 1 else 0


def _rounded(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def _source_agents(
    out: Path, task: tasks.Task, own: sources.Sources, settings: BenchSettings
) -> list[SourceAgent]:
    path = out / "sources.json"
    if path.is_file():
        return [SourceAgent(**row) for row in files.read_json(path, "the source agents' returns")]
    rows = []
    for role, name in (("better", own.better), ("worse", own.worse)):
        policy, _ = agents.load(name)
        mean, error = agents.evaluate(
            policy, task, settings.episodes, FINAL_EPISODES_SEED, settings.deterministic
        )
        rows.append(SourceAgent(f"{role}: {Path(name).stem}", mean, error))
    files.write_json(path, [row._asdict() for row in rows])
    return rows
