"""Robots' agents of a bench: jobs to orders for the workers, and what comes back to outcomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from mirrorpo import files
from mirrorpo.divergence import finite_or_none, short_or_none
from mirrorpo.execution.batch import Order, ScoredAgents, Supply
from mirrorpo.execution.workers import Workers
from mirrorpo.preferences import facts, views
from mirrorpo.preferences.facts import Facts
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import kept_agents
from mirrorpo.study.jobs import Job, Outcome
from mirrorpo.study.measures import AGREEMENT, MEASURE, RETURN
from mirrorpo.study.phases import FINAL
from mirrorpo.study.recorded import Scene
from mirrorpo.study.settings import BenchSettings


@dataclass(frozen=True)
class RobotTrainer:
    """Trains and scores agents on draws of the data; a `jobs.Trainer`.

    Attributes:
        settings: the settings of the bench.
        workers: the workers that have the supply.
        supply: the data, and where agents act.
        rows: pairs to train on; None for all of a file's.
        scene: the scene that the cards of kept agents name.
        keep: their folder; None for nowhere.
    """

    settings: BenchSettings
    workers: Workers[Order, ScoredAgents]
    supply: Supply
    rows: int | None
    scene: Scene
    keep: Path | None

    @property
    def agents_at_once(self) -> int:
        return self.workers.agents_at_once

    def facts(self, variant: str) -> Facts:
        draw, source = next(iter(self.supply.pools.items()))
        return facts.describe(views.label(source, variant, draw, self.rows))

    def work_off(self, batches: Sequence[Sequence[Job]]) -> Iterator[tuple[int, Sequence[Outcome]]]:
        orders = [self._order(batch) for batch in batches]
        for position, scored in self.workers.work_off(orders):
            jobs = batches[position]
            yield position, [self._outcome(job, at, scored) for at, job in enumerate(jobs)]

    def _order(self, batch: Sequence[Job]) -> Order:
        settings, first = self.settings, batch[0]
        final = first.phase == FINAL
        return Order(
            objectives=[job.objective for job in batch],
            seeds=[job.seed for job in batch],
            variant=first.variant,
            draw=first.draw,
            label_seed=first.draw,
            rows=self.rows,
            training=settings.training,
            episodes=settings.scoring.episodes if final else settings.search_episodes,
            episodes_seeds=[job.episodes_seed for job in batch],
            deterministic=settings.actions == "mean",
            curve_episodes=settings.curve_episodes if final else None,
            size=self.agents_at_once,
        )

    def _outcome(self, job: Job, at: int, scored: ScoredAgents) -> Outcome:
        """What became of the agent at a position of an order."""
        diverged = bool(scored.diverged[at])
        score = scored.returns[at].astype(np.float64)
        mean, error = mean_and_error(score)
        if self.keep and job.is_first and not diverged:
            name = files.file_name(f"{job.variant}-{job.algorithm}")
            kept_agents.save(
                self.keep / f"{name}.safetensors",
                f"{job.algorithm} ({job.variant})",
                jax.tree.map(lambda x: x[at], scored.policies),
                self.scene,
                score,
                job.episodes_seed,
                job.objective,
                self.settings.training,
                job.seed,
                RETURN if scored.on_task else AGREEMENT,
            )
        agents = len(scored.returns)
        return Outcome(
            {
                "return_mean": None if diverged else mean,
                "return_standard_error": None if diverged else finite_or_none(error),
                "episodes": len(score),
                "diverged": diverged,
                "train_seconds": round(scored.train_seconds / agents, 3),
                "evaluate_seconds": round(scored.evaluate_seconds / agents, 3),
                "measures": {} if scored.on_task else {MEASURE: mean / 100},
            },
            {
                "stage": list(scored.stages),
                **{
                    name: [short_or_none(value) for value in values[at]]
                    for name, values in scored.curves.items()
                },
            },
        )
