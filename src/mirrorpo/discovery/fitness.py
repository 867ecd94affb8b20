"""Fitness: the true return of agents that an objective has trained."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mirrorpo.agents import files as agent_files
from mirrorpo.agents import sources
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution.batch import Order, Supply
from mirrorpo.execution.executor import Alone, Place, Workers, at
from mirrorpo.objectives import Objective
from mirrorpo.preferences import pools
from mirrorpo.preferences.draws import draw
from mirrorpo.simulation import tasks
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings

FITNESS_EPISODES_SEED = 1_000_000
VALIDATION_EPISODES_SEED = 1_900_000


@dataclass(frozen=True)
class Score:
    """How agents did.

    Attributes:
        returns: mean true return of each agent on each variant, shape (agents, variants),
            float64; NaN where an agent diverged or was screened out.
        fitness: to be maximised, shape (agents,): the normalised score, over the variants as
            `robust` says; NaN where an agent diverged. Agents that were screened out rank below
            all others, in the order of the screening.
        train_seconds: spent on inner training, by all workers together.
        evaluate_seconds: spent on episodes, likewise.
        agents: trained in full.
    """

    returns: np.ndarray
    fitness: np.ndarray
    train_seconds: float
    evaluate_seconds: float
    agents: int


@dataclass(frozen=True)
class Budget:
    """How an agent is trained and scored.

    Attributes:
        rows: pairs it trains on.
        training: settings of inner training.
        episodes: behind its score.
    """

    rows: int
    training: TrainSettings
    episodes: int


@dataclass(frozen=True)
class Draws:
    """The random numbers behind a score, beside those of the agents.

    Attributes:
        trajectories: the draw of the pool; one that `Bench` has.
        labels: seed of the labels.
        episodes: seed of start states and action noise, the same for all agents.
    """

    trajectories: int
    labels: int
    episodes: int


class Bench:
    """A task's data, and the scores of objectives on it.

    Agents are trained by this process, or by the workers of `at` while it lasts.
    """

    def __init__(
        self,
        settings: DiscoverySettings,
        report: Callable[[str], None] = lambda doing: None,
    ):
        """Simulate or load the trajectories, and score the source agents.

        Raises:
            ValueError: unknown names, or rows that the task's data do not have.
        """
        self.settings = settings
        self.task = tasks.load(settings.task, settings.backend)
        own = self._sources(settings.rows)
        self.rows = own.rows
        self.validation_rows = self._sources(settings.validation_rows).rows
        report("trajectories")
        self.fitness_draw = draw(settings.data_seed, "fitness")
        self.validation_draw = draw(settings.data_seed, "validation")
        pooled = {
            number: pools.cached(
                *(self.task, rows, number, own.better, own.worse),
                progress=pools.in_words(report),
                waiting=pools.in_line(report),
            )
            for number, rows in (
                (self.fitness_draw, self.rows),
                (self.validation_draw, self.validation_rows),
            )
        }
        start = agent_files.load(own.start)[0] if own.start is not None else None
        # Each generation and the validation come back to every variant.
        datasets = 2 * len(settings.variants)
        self._alone = Alone(Supply(self.task, pooled, start, datasets))
        self._workers: Workers = self._alone
        policies = [
            agent_files.load_source(name, "--better and --worse")[0]
            for name in (own.better, own.worse)
        ]
        report("source agents")
        self.better, self.worse = (
            agent_files.evaluate(
                *(policy, self.task, settings.validation_episodes, settings.seed),
                settings.actions == "mean",
            )[0]
            for policy in policies
        )
        if not self.better > self.worse:
            raise ValueError(
                f"{own.better} scores {self.better:.0f} and {own.worse} {self.worse:.0f} on "
                f"{settings.task}: the better agent must be better. Exchange the two."
            )

    @contextmanager
    def at(self, place: Place | None) -> Iterator[None]:
        """Train agents there for as long as the context lasts."""
        with at(place, self._alone) as self._workers:
            yield
        self._workers = self._alone

    def _sources(self, rows: int | None) -> sources.Sources:
        settings = self.settings
        return sources.choose(settings.task, settings.better, settings.worse, rows)

    def draws(self, generation: int) -> Draws:
        """A generation's draws: labels of its own on the search's trajectories."""
        labels = draw(self.settings.data_seed, "fitness", 1 + generation)
        return Draws(self.fitness_draw, labels, FITNESS_EPISODES_SEED + generation)

    @property
    def validation_draws(self) -> Draws:
        """The draws of every validation: trajectories and labels that no generation sees."""
        return Draws(self.validation_draw, self.validation_draw, VALIDATION_EPISODES_SEED)

    def prepared(self, variant: str, budget: Budget, draws: Draws) -> learner.Prepared:
        """A variant's data on this process's devices."""
        return self._alone.worker.prepared(
            variant, draws.trajectories, draws.labels, budget.rows, budget.training
        )

    def normalised(self, returns: np.ndarray) -> np.ndarray:
        """Returns with 0 at the worse source agent and 1 at the better."""
        return (returns - self.worse) / (self.better - self.worse)

    def fitness(self, returns: np.ndarray) -> np.ndarray:
        """One number for each agent from its returns on the variants, (agents, variants)."""
        scores = self.normalised(returns)
        return scores.min(axis=1) if self.settings.robust == "worst" else scores.mean(axis=1)

    def score(
        self,
        objectives: Sequence[Objective],
        seeds: Sequence[int],
        budget: Budget,
        draws: Draws,
        screen: tuple[Budget, float] | None = None,
    ) -> Score:
        """Train an agent with each objective on each variant, and score it.

        Args:
            objectives: one for each agent, of one structure.
            seeds: the seeds of the agents' training.
            budget: the budget of training and score.
            draws: the draws of the data and of the episodes.
            screen: a smaller budget that all agents get first, and the share of them that gets
                the whole one.
        """
        if screen is None:
            return self._in_full(objectives, seeds, budget, draws)
        small, share = screen
        first = self._in_full(objectives, seeds, small, draws)
        keep = max(round(share * len(objectives)), 1)
        order = np.argsort(-np.nan_to_num(first.fitness, nan=-np.inf), kind="stable")
        kept = order[:keep]
        second = self._in_full(
            [objectives[i] for i in kept], [seeds[i] for i in kept], budget, draws
        )
        returns = np.full_like(first.returns, np.nan)
        returns[kept] = second.returns
        # Below every agent that was trained in full, in the order of the screening.
        finite = second.fitness[np.isfinite(second.fitness)]
        floor = finite.min() if finite.size else 0.0
        best = np.nanmax(first.fitness) if np.isfinite(first.fitness).any() else 0.0
        fitness = floor - 1.0 + (first.fitness - best)
        fitness[kept] = second.fitness
        return Score(
            returns,
            fitness,
            first.train_seconds + second.train_seconds,
            first.evaluate_seconds + second.evaluate_seconds,
            keep,
        )

    def _in_full(
        self,
        objectives: Sequence[Objective],
        seeds: Sequence[int],
        budget: Budget,
        draws: Draws,
    ) -> Score:
        variants, count, workers = self.settings.variants, len(objectives), self._workers
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
                deterministic=self.settings.actions == "mean",
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
        return Score(returns, self.fitness(returns), train_seconds, evaluate_seconds, count)
