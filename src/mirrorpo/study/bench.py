"""The bench: every algorithm on every variant, hyper-parameters searched, scored by true return.

The search has its own seeds, its own data and its own evaluation episodes; the reported score
comes from fresh agents, trained on data and scored on episodes that the search has not seen.
Every agent is logged as it is finished; the same command resumes after a kill and ends with the
same table.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, plain_text, runs, variants
from mirrorpo.agents import files as agent_files
from mirrorpo.agents import sources
from mirrorpo.discovery import shapes
from mirrorpo.execution.batch import Order, Scored, Supply
from mirrorpo.execution.executor import Alone, Place, Workers, at
from mirrorpo.objectives import Objective
from mirrorpo.preferences import data, facts, pools
from mirrorpo.preferences.draws import draw
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.study import kept_agents, tuned
from mirrorpo.study.algorithms import Algorithm, load
from mirrorpo.study.records import AgentRecord, Log, hyperparameters_text
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent
from mirrorpo.training import learner

SEARCH_SEED_BASE = 1_000_000
SEARCH_EPISODES_SEED = 7_001
FINAL_EPISODES_SEED = 2_000_000
"""An agent's episodes have this seed plus the agent's: never those of another agent of its cell,
nor the search's; agents of equal number in two cells meet the same start states."""


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
    """One agent to train and score; see `AgentRecord` for the fields."""

    objective: Objective
    phase: str
    seed: int
    hyperparameters: str
    draw: int
    episodes_seed: int


@runs.holding()
def run(
    settings: BenchSettings,
    out: Path,
    progress: Callable[[Progress], None] = lambda point: None,
    cache: Path | None = None,
    place: Place | None = None,
    keep_agents: bool = False,
) -> tuple[Log, list[SourceAgent]]:
    """Measure what `settings` asks for, or what is left of it.

    Args:
        settings: see `BenchSettings`.
        out: run folder, new or of the same settings.
        progress: called after each batch of agents.
        cache: folder for simulated trajectories; None for the user's cache.
        place: where agents are trained and scored; None for this process.
        keep_agents: write the agent of each cell's first seed to `out/agents`; one that an
            earlier call has logged already is not trained again for it.

    Returns:
        The log of all agents, and the source agents' returns. `out` then holds
        results.parquet and results.csv, one row a trained agent, sources.json, and tuned.json,
        the hyper-parameters of each cell.

    Raises:
        ValueError: an unknown name, a setting out of range, a folder of another run, or files
            that do not fit the task. All names are checked before anything is computed.
    """
    algorithms = [load(text) for text in settings.algorithms]
    training = settings.training
    for algorithm in algorithms:
        learner.stage_epochs(algorithm.objective, training.epochs, training.single_stage)
    faults = [variants.parse(text) for text in settings.variants]
    task = tasks.load(settings.task, settings.backend)
    own = sources.choose(settings.task, settings.better, settings.worse, settings.rows)
    if own.rows < training.minibatch:
        raise ValueError(f"rows ({own.rows}) is fewer than a minibatch of {training.minibatch}.")
    start = agent_files.load(own.start)[0] if own.start is not None else None
    for name in (own.better, own.worse):
        evaluation.check_sizes(agent_files.load(name)[0], task)

    contents = {algorithm.text: algorithm.checksum for algorithm in algorithms}
    runs.claim(out, {**asdict(settings), **asdict(own)}, contents | own.checksums())
    for algorithm in algorithms:
        shapes.remember(out, algorithm.text, algorithm.objective, algorithm.search_grid)
    log = Log(out / runs.METRICS)
    total = len(faults) * sum(
        _search_size(algorithm, settings) + settings.scoring.seeds for algorithm in algorithms
    )

    def report(doing: str) -> None:
        progress(Progress(min(len(log), total), total, doing))

    report("source agents")
    source_agents = _source_agents(out, task, own, settings)
    keep = _Keep(task, out / kept_agents.FOLDER) if keep_agents else None
    cells = [_Cell(str(fault), settings, own.rows, log, report, keep) for fault in faults]
    # All of one draw at a time: a pool may fill much of the memory.
    finals = [draw(settings.data_seed, "score", at) for at in range(settings.scoring.data_draws)]
    for phase, number in [("search", settings.search_draw), *(("final", one) for one in finals)]:
        left = [cell for cell in cells if not cell.is_complete(phase, number, algorithms)]
        if not left:
            continue
        report("trajectories")
        told = pools.in_words(report)
        wait = pools.in_line(report)
        pool = pools.cached(task, own.rows, number, own.better, own.worse, cache, told, wait)
        if not settings.allow_short:
            data.refuse_short(pool)
        with at(place, Alone(Supply(task, {number: pool}, start))) as workers:
            for cell in left:
                if number == finals[0]:
                    dataset = data.label(pool, cell.variant, number)
                    facts.remember(out, facts.describe(dataset))
                cell.measure(phase, number, algorithms, workers)
    frame = log.frame()
    files.write_atomically(out / "results.parquet", lambda path: frame.to_parquet(path))
    plain_text.write_csv(out / "results.csv", frame)
    content = {"task": settings.task, "algorithms": tuned.found(frame)}
    files.write_json(out / "tuned.json", {**content, "settings": asdict(settings)})
    return log, source_agents


@dataclass(frozen=True)
class _Keep:
    """Where a bench keeps agents, and the task that they act on."""

    task: tasks.Task
    folder: Path


@dataclass
class _Cell:
    """One variant's column of the table while it is computed."""

    variant: str
    settings: BenchSettings
    rows: int
    log: Log
    report: Callable[[str], None]
    keep: _Keep | None

    def is_complete(self, phase: str, draw: int, algorithms: Sequence[Algorithm]) -> bool:
        """Whether the log holds all agents of a phase and draw; the phases before are complete."""
        return all(
            self._key(algorithm, job) in self.log
            for algorithm in algorithms
            for job in self._jobs(phase, draw, algorithm)
        )

    def measure(
        self, phase: str, draw: int, algorithms: Sequence[Algorithm], workers: Workers
    ) -> None:
        """Train and score what the log lacks of a phase and draw: a heap of independent work."""
        batches = [
            (algorithm, batch)
            for algorithm in algorithms
            for batch in self._batches(
                algorithm, self._jobs(phase, draw, algorithm), workers.agents_at_once
            )
        ]
        orders = [self._order(batch, workers.agents_at_once) for _, batch in batches]
        if batches:
            self._report(*batches[0])
        for position, scored in workers.work_off(orders):
            self._remember(*batches[position], scored)
            self._report(*batches[position])

    def _jobs(self, phase: str, draw: int, algorithm: Algorithm) -> list[Job]:
        if phase == "search":
            return self._search_jobs(algorithm)
        return [job for job in self._final_jobs(algorithm) if job.draw == draw]

    def _search_jobs(self, algorithm: Algorithm) -> list[Job]:
        if not _search_size(algorithm, self.settings):
            return []
        seeds = range(SEARCH_SEED_BASE, SEARCH_SEED_BASE + self.settings.search_seeds)
        return [
            self._job(algorithm, "search", point, seed, self.settings.search_draw)
            for point in algorithm.grid_points
            for seed in seeds
        ]

    def _final_jobs(self, algorithm: Algorithm) -> list[Job]:
        chosen = self._chosen(algorithm)
        return [
            self._job(algorithm, "final", chosen, seed, self.settings.draw_of(seed))
            for seed in range(self.settings.scoring.seeds)
        ]

    def _job(
        self, algorithm: Algorithm, phase: str, point: Mapping[str, Any], seed: int, draw: int
    ) -> Job:
        objective = replace(algorithm.objective, **point)
        episodes_seed = FINAL_EPISODES_SEED + seed if phase == "final" else SEARCH_EPISODES_SEED
        return Job(objective, phase, seed, hyperparameters_text(point), draw, episodes_seed)

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
            deterministic=settings.deterministic,
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
                return_mean=None if diverged else float(score.mean()),
                return_standard_error=None if diverged else error,
                episodes=episodes,
                diverged=diverged,
                train_seconds=round(scored.train_seconds / len(batch), 3),
                evaluate_seconds=round(scored.evaluate_seconds / len(batch), 3),
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
                )
            agent_curves: dict[str, Any] = {
                name: [_rounded(x) for x in values[position]]
                for name, values in scored.curves.items()
            }
            self.log.add(record, {"stage": list(scored.stages), **agent_curves})


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
        return files.read_rows(path, "the source agents' returns", SourceAgent)
    rows = []
    for role, name in (("better", own.better), ("worse", own.worse)):
        policy, _ = agent_files.load(name)
        mean, error = agent_files.evaluate(
            policy, task, settings.scoring.episodes, FINAL_EPISODES_SEED, settings.deterministic
        )
        rows.append(SourceAgent(f"{role}: {Path(name).stem}", mean, error))
    files.write_json(path, [row._asdict() for row in rows])
    return rows
