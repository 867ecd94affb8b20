"""Fitness: the true return of agents that an objective has trained, on all grounds of a search."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorpo.discovery.ground import Budget, Draws, SearchGround
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution.workers import Workplace
from mirrorpo.objectives import Objective
from mirrorpo.preferences.draws import draw
from mirrorpo.training import learner

FITNESS_EPISODES_SEED = 1_000_000
VALIDATION_EPISODES_SEED = 1_900_000


@dataclass(frozen=True)
class Score:
    """How agents did.

    Attributes:
        returns: mean true return of each agent on each variant of each task, shape
            (agents, columns), float64; NaN where an agent diverged or was screened out.
        fitness: to be maximised, shape (agents,): the normalised score, over the columns as
            `robust` says; NaN where an agent diverged. Agents that were screened out rank below
            all others, in the order of the screening.
        train_seconds: seconds spent on inner training, by all workers together.
        evaluate_seconds: seconds spent on episodes, by all workers together.
        agents: how many agents were trained in full.
    """

    returns: np.ndarray
    fitness: np.ndarray
    train_seconds: float
    evaluate_seconds: float
    agents: int


class Bench:
    """The data of a search's tasks, and the scores of objectives on them.

    A column is a variant of the data on one task.

    Attributes:
        better: the better source agent's return, by column.
        worse: the worse source agent's, by column.
    """

    def __init__(
        self,
        settings: DiscoverySettings,
        report: Callable[[str], None] = lambda doing: None,
        cache: Path | None = None,
    ):
        """Simulate or load the trajectories, and score the source agents.

        `cache` is the folder of trajectories; None for the user's cache.

        Raises:
            ValueError: unknown names, or rows that a task's data do not have.
        """
        self.settings = settings
        self._grounds = [SearchGround(settings, task, report, cache) for task in settings.tasks]
        each = len(settings.variants)
        self.better = np.repeat([ground.better for ground in self._grounds], each)
        self.worse = np.repeat([ground.worse for ground in self._grounds], each)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: variants, after their task where a search has several."""
        named = len(self._grounds) > 1
        return tuple(
            f"{ground.name} {variant}" if named else variant
            for ground in self._grounds
            for variant in self.settings.variants
        )

    @property
    def source_agents(self) -> Mapping[str, float | Mapping[str, float]]:
        """Returns of the source agents; by task where a search has several."""
        if len(self._grounds) == 1:
            return {"better": self._grounds[0].better, "worse": self._grounds[0].worse}
        return {
            "better": {ground.name: ground.better for ground in self._grounds},
            "worse": {ground.name: ground.worse for ground in self._grounds},
        }

    @contextmanager
    def at(self, place: Workplace | None) -> Iterator[None]:
        """Train agents there for as long as the context lasts."""
        with ExitStack() as stack:
            for ground in self._grounds:
                stack.enter_context(ground.at(place))
            yield

    def draws(self, generation: int) -> Draws:
        """A generation's draws: labels of its own on the search's trajectories."""
        seed = self.settings.data_seed
        labels = draw(seed, "fitness", 1 + generation)
        return Draws(draw(seed, "fitness"), labels, FITNESS_EPISODES_SEED + generation)

    @property
    def validation_draws(self) -> Draws:
        """The draws of every validation: trajectories and labels that no generation sees."""
        number = draw(self.settings.data_seed, "validation")
        return Draws(number, number, VALIDATION_EPISODES_SEED)

    def prepared(self, budget: Budget, draws: Draws) -> Iterator[learner.PreparedData]:
        """Each column's data on this process's devices."""
        for ground in self._grounds:
            for variant in self.settings.variants:
                yield ground.prepared(variant, budget, draws)

    def normalised(self, returns: np.ndarray) -> np.ndarray:
        """Returns with 0 at the worse source agent and 1 at the better."""
        return (returns - self.worse) / (self.better - self.worse)

    def fitness(self, returns: np.ndarray, par: np.ndarray | float = 0.0) -> np.ndarray:
        """One number for each agent from its returns, (agents, columns).

        Args:
            returns: mean true returns.
            par: what is subtracted from the normalised score of each column.
        """
        scores = self.normalised(returns) - par
        return scores.min(axis=1) if self.settings.robust == "worst" else scores.mean(axis=1)

    def par(
        self, rivals: Sequence[Objective], seeds: Sequence[int], budget: Budget, draws: Draws
    ) -> np.ndarray | float:
        """The best rival's normalised score in each column, shape (columns,); 0 without rivals.

        Args:
            rivals: known objectives, each trained with all the seeds.
            seeds: the seeds of the agents' training.
            budget: the budget of training and score.
            draws: the draws of the data and of the episodes.
        """
        if not rivals:
            return 0.0
        scores = [
            self.normalised(self._in_full([rival] * len(seeds), seeds, budget, draws).returns)
            for rival in rivals
        ]
        means = np.mean(scores, axis=1)
        return np.where(np.isfinite(means), means, -np.inf).max(axis=0).clip(min=0.0)

    def score(
        self,
        objectives: Sequence[Objective],
        seeds: Sequence[int],
        budget: Budget,
        draws: Draws,
        screen: tuple[Budget, float] | None = None,
        par: np.ndarray | float = 0.0,
    ) -> Score:
        """Train an agent with each objective on each column, and score it.

        Args:
            objectives: one for each agent, of one structure.
            seeds: the seeds of the agents' training.
            budget: the budget of training and score.
            draws: the draws of the data and of the episodes.
            screen: a smaller budget that all agents get first, and the share of them that gets
                the whole one.
            par: see `fitness`.
        """
        if screen is None:
            return self._in_full(objectives, seeds, budget, draws, par)
        small, share = screen
        first = self._in_full(objectives, seeds, small, draws, par)
        keep = max(round(share * len(objectives)), 1)
        order = np.argsort(-np.nan_to_num(first.fitness, nan=-np.inf), kind="stable")
        kept = order[:keep]
        second = self._in_full(
            [objectives[i] for i in kept], [seeds[i] for i in kept], budget, draws, par
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
        par: np.ndarray | float = 0.0,
    ) -> Score:
        measured = [ground.measure(objectives, seeds, budget, draws) for ground in self._grounds]
        returns = np.concatenate([one.returns for one in measured], axis=1)
        return Score(
            returns,
            self.fitness(returns, par),
            sum(one.train_seconds for one in measured),
            sum(one.evaluate_seconds for one in measured),
            len(objectives),
        )
