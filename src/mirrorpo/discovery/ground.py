"""The ground of a search: one task's data and source agents, and agents' returns on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorpo import digits
from mirrorpo.agents import agent_files, sources
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution.batch import Order, ScoredAgents, Supply, Worker
from mirrorpo.execution.workers import Alone, Workers, Workplace, at
from mirrorpo.objectives import Objective
from mirrorpo.preferences import pools
from mirrorpo.preferences.draws import draw
from mirrorpo.simulation import tasks
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings


@dataclass(frozen=True)
class Budget:
    """How an agent is trained and scored.

    Attributes:
        rows: pairs to train on; None for all pairs of the draw.
        training: settings of inner training.
        episodes: how many episodes its score is a mean of.
    """

    rows: int | None
    training: TrainSettings
    episodes: int


@dataclass(frozen=True)
class Draws:
    """The random numbers behind a score, beside the agents' own seeds.

    Attributes:
        trajectories: the draw of the pool; one that `SearchGround` has.
        labels: seed of the labels.
        episodes: seed of start states and action noise, the same for all agents.
    """

    trajectories: int
    labels: int
    episodes: int


@dataclass(frozen=True)
class Measured:
    """How agents did on one ground.

    Attributes:
        returns: mean true return of each agent on each variant, shape (agents, variants),
            float64; NaN where an agent diverged.
        train_seconds: seconds spent on inner training, by all workers together.
        evaluate_seconds: seconds spent on episodes, by all workers together.
    """

    returns: np.ndarray
    train_seconds: float
    evaluate_seconds: float


def choose(settings: DiscoverySettings, task: str, rows: int | None) -> sources.Sources:
    """The sources of one of a search's tasks; without `rows`, with the paper's number of pairs."""
    return sources.choose(task, settings.better, settings.worse, rows, settings.start_from)


class SearchGround:
    """One task of a search. Agents are trained by this process, or by the workers of `at`.

    Attributes:
        name: the task's name.
        better: mean true return of the better source agent.
        worse: mean true return of the worse one.
    """

    def __init__(
        self,
        settings: DiscoverySettings,
        task: str,
        report: Callable[[str], None] = lambda doing: None,
        cache: Path | None = None,
    ):
        """Simulate or load the trajectories, and score the source agents.

        `cache` is the folder of trajectories; None for the user's cache.

        Raises:
            ValueError: unknown names, or rows that the task's data do not have.
        """
        self.name = task
        self.task = tasks.load(task, settings.backend)
        self._settings = settings
        own = choose(settings, task, settings.rows)
        report(f"trajectories of {task}")
        rows = {
            draw(settings.data_seed, "fitness"): own.rows,
            draw(settings.data_seed, "validation"): choose(
                settings, task, settings.validation_rows
            ).rows,
        }
        pooled = {
            number: pools.cached(
                *(self.task, count, number, own.better, own.worse, cache),
                progress=pools.in_words(report),
                waiting=pools.in_line(report),
            )
            for number, count in rows.items()
        }
        start = sources.load_start(own.start, settings.hidden)
        # Each generation and the validation come back to every variant.
        datasets = 2 * len(settings.variants)
        self._worker = Worker(Supply(self.task, pooled, start, datasets))
        self._alone = Alone(self._worker.supply, self._worker)
        self._workers: Workers[Order, ScoredAgents] = self._alone
        report(f"source agents of {task}")
        self.better, self.worse = (
            self._return_of(name, settings) for name in (own.better, own.worse)
        )
        if not self.better > self.worse:
            shown = digits.after_point([self.better, self.worse])
            raise ValueError(
                f"{own.better} scores {self.better:.{shown}f} and {own.worse} "
                f"{self.worse:.{shown}f} on {task}: the better agent must be better. Exchange the "
                "two."
            )

    def _return_of(self, name: str, settings: DiscoverySettings) -> float:
        policy, _ = agent_files.load_source(name, "--better and --worse")
        quiet = settings.actions == "mean"
        budget = settings.validation_episodes, settings.seed
        return agent_files.evaluate(policy, self.task, *budget, quiet)[0]

    @contextmanager
    def at(self, place: Workplace | None) -> Iterator[None]:
        """Train agents at that place until the context ends."""
        with at(place, self._alone) as self._workers:
            yield
        self._workers = self._alone

    def prepared(self, variant: str, budget: Budget, draws: Draws) -> learner.PreparedData:
        """A variant's data on this process's devices."""
        return self._worker.prepared(
            variant, draws.trajectories, draws.labels, budget.rows, budget.training
        )

    def measure(
        self, objectives: Sequence[Objective], seeds: Sequence[int], budget: Budget, draws: Draws
    ) -> Measured:
        """Train an agent with each objective on each variant, and let it act."""
        variants, count, workers = self._settings.variants, len(objectives), self._workers
        # A slice for each worker, of whole rounds of its devices.
        size = -(-count // (workers.count * workers.agents_at_once)) * workers.agents_at_once
        size = min(size, count)
        slices = [
            (column, slice(first, first + size))
            for column in range(len(variants))
            for first in range(0, count, size)
        ]
        orders = [
            Order(
                objectives=objectives[agents],
                seeds=seeds[agents],
                variant=variants[column],
                draw=draws.trajectories,
                label_seed=draws.labels,
                rows=budget.rows,
                training=budget.training,
                episodes=budget.episodes,
                episodes_seeds=[draws.episodes] * len(objectives[agents]),
                deterministic=self._settings.actions == "mean",
                size=size,
            )
            for column, agents in slices
        ]
        returns = np.empty((count, len(variants)))
        train_seconds = evaluate_seconds = 0.0
        for position, scored in workers.work_off(orders):
            column, agents = slices[position]
            returns[agents, column] = scored.returns.astype(np.float64).mean(axis=1)
            train_seconds += scored.train_seconds
            evaluate_seconds += scored.evaluate_seconds
        return Measured(returns, train_seconds, evaluate_seconds)
