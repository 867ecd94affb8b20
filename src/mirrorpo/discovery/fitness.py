"""Fitness: the true return of agents that an objective has trained."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from mirrorpo.control import agents, data, evaluation, learner, pools, sources, tasks
from mirrorpo.control.policy import Policy
from mirrorpo.control.settings import TrainSettings
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.objectives import Objective


@dataclass(frozen=True)
class Score:
    """How agents did.

    Attributes:
        returns: mean true return of each agent on each variant, shape (agents, variants),
            float64; NaN where an agent diverged or was screened out.
        fitness: to be maximised, shape (agents,): the normalised score, over the variants as
            `robust` says; NaN where an agent diverged. Agents that were screened out rank below
            all others, in the order of the screening.
        train_seconds: spent on inner training.
        evaluate_seconds: spent on episodes.
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


class Bench:
    """A task's data on the devices, and the scores of objectives on it."""

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
        self._start = agents.load(own.start)[0] if own.start is not None else None
        report("trajectories")
        self._pool = pools.cached(
            self.task,
            max(self.rows, self.validation_rows),
            settings.seed,
            own.better,
            own.worse,
            report=report,
        )
        policies = [agents.load(name)[0] for name in (own.better, own.worse)]
        report("source agents")
        self.better, self.worse = (
            agents.evaluate(policy, self.task, settings.validation_episodes, settings.seed)[0]
            for policy in policies
        )
        if not self.better > self.worse:
            raise ValueError(
                f"{own.better} scores {self.better:.0f} and {own.worse} {self.worse:.0f} on "
                f"{settings.task}: the better agent must be better. Exchange the two."
            )
        self._prepared: dict[tuple[str, int], learner.Prepared] = {}

    def _sources(self, rows: int | None) -> sources.Sources:
        settings = self.settings
        return sources.choose(settings.task, settings.better, settings.worse, rows)

    def prepared(self, variant: str, budget: Budget) -> learner.Prepared:
        """A variant's data on the devices."""
        key = (variant, budget.rows)
        if key not in self._prepared:
            dataset = data.label(self._pool, variant, self.settings.seed, budget.rows)
            self._prepared[key] = learner.prepare(dataset, budget.training, self._start)
        return self._prepared[key]

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
        episodes_seed: int,
        screen: tuple[Budget, float] | None = None,
    ) -> Score:
        """Train an agent with each objective on each variant, and score it.

        Args:
            objectives: one for each agent, of one structure.
            seeds: of the agents' training.
            budget: of training and score.
            episodes_seed: of start states and action noise, the same for all.
            screen: a smaller budget that all agents get first, and the share of them that gets
                the whole one.
        """
        if screen is None:
            return self._in_full(objectives, seeds, budget, episodes_seed)
        small, share = screen
        first = self._in_full(objectives, seeds, small, episodes_seed)
        keep = max(round(share * len(objectives)), 1)
        order = np.argsort(-np.nan_to_num(first.fitness, nan=-np.inf), kind="stable")
        kept = order[:keep]
        second = self._in_full(
            [objectives[i] for i in kept], [seeds[i] for i in kept], budget, episodes_seed
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
        episodes_seed: int,
    ) -> Score:
        returns = []
        train_seconds = evaluate_seconds = 0.0
        for variant in self.settings.variants:
            began = time.perf_counter()
            trained = learner.train(
                objectives, self.prepared(variant, budget), seeds=seeds, settings=budget.training
            )
            policies: Policy = jax.block_until_ready(trained.policies)
            trained_at = time.perf_counter()
            episodes = evaluation.returns(policies, self.task, budget.episodes, episodes_seed)
            train_seconds += trained_at - began
            evaluate_seconds += time.perf_counter() - trained_at
            returns.append(episodes.astype(np.float64).mean(axis=1))
        stacked = np.stack(returns, axis=1)
        return Score(
            stacked, self.fitness(stacked), train_seconds, evaluate_seconds, len(objectives)
        )
