"""An order is some agents to train and score; a worker works orders off, wherever it runs."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from mirrorpo.objectives import Objective
from mirrorpo.preferences import views
from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.runtime.devices import items_at_once
from mirrorpo.simulation import evaluation
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask
from mirrorpo.training import learner
from mirrorpo.training.agreement import agreement
from mirrorpo.training_settings import TrainSettings


@dataclass(frozen=True)
class Supply:
    """What every worker of a run needs once.

    Attributes:
        task: where agents act; None where they are scored by labels.
        pools: trajectories that all variants of the data index, by their draw.
        start: policy that all agents start from; None for random networks.
        datasets: variants that a worker keeps ready on its devices, the last ones used.
        held_out: pairs whose labels score agents, where there is no task.
    """

    task: AnyTask | None
    pools: Mapping[int, views.Source]
    start: Policy | None = None
    datasets: int = 1
    held_out: PreferenceDataset | None = None

    def __post_init__(self) -> None:
        if (self.task is None) == (self.held_out is None):
            raise ValueError("Agents are scored on a task, or else by held-out pairs.")

    def portable(self) -> "Supply":
        """With its start as NumPy arrays, see `workers.AnySupply`."""
        return replace(
            self, start=None if self.start is None else jax.tree.map(np.asarray, self.start)
        )

    def worker(self) -> "Worker":
        """A worker in this process."""
        return Worker(self)


@dataclass(frozen=True)
class Order:
    """Agents to train on one variant of the data, and to score.

    Attributes:
        objectives: one for each agent, of one structure.
        seeds: the seeds of each agent's training.
        variant: the variant of the data, as text.
        draw: the draw of the trajectories.
        label_seed: the seed of the labels.
        rows: pairs to train on; None for all.
        training: settings of inner training.
        episodes: how many episodes each score is a mean of.
        episodes_seeds: the seeds of each agent's start states and action noise.
        deterministic: score mean actions in place of sampled ones.
        curve_episodes: how many episodes the return after each epoch is a mean of; None for no such
            curve.
        size: agents to compute, the last one repeated where there are fewer: orders of one size
            share a compiled program.
    """

    objectives: Sequence[Objective]
    seeds: Sequence[int]
    variant: str
    draw: int
    label_seed: int
    rows: int | None
    training: TrainSettings
    episodes: int
    episodes_seeds: Sequence[int]
    deterministic: bool = False
    curve_episodes: int | None = None
    size: int = 1


@dataclass(frozen=True)
class ScoredAgents:
    """What became of an order; every array has a leading axis of its agents.

    Attributes:
        returns: true return of each episode, shape (agents, episodes), float32; or, without a
            task, 100 for each held-out label that the agent agrees with, 0 for each other one,
            shape (agents, pairs); NaN where the agent diverged.
        diverged: whether an agent's parameters are not finite, shape (agents,), bool.
        curves: for each name of `inner_loop.Curves`, shape (agents, epochs); where the order
            asks for it also ``return_mean``, the mean true return after each epoch.
        stages: name of the stage of each epoch.
        policies: the agents themselves, NumPy leaves with a leading axis of agents.
        train_seconds: wall time of the training, compilation included.
        evaluate_seconds: wall time of the episodes, compilation and episodes of the curve included.
        on_task: whether the agents acted on a task.
    """

    returns: np.ndarray
    diverged: np.ndarray
    curves: dict[str, np.ndarray]
    stages: tuple[str, ...]
    policies: Policy
    train_seconds: float
    evaluate_seconds: float
    on_task: bool = True


class Worker:
    """Works orders off on the devices of this process."""

    def __init__(self, supply: Supply):
        self.supply = supply
        self._ready: OrderedDict[tuple[Any, ...], learner.PreparedData] = OrderedDict()

    @property
    def agents_at_once(self) -> int:
        """Agents that the devices of this process train together."""
        return jax.local_device_count() * items_at_once()

    def prepared(
        self, variant: str, draw: int, label_seed: int, rows: int | None, training: TrainSettings
    ) -> learner.PreparedData:
        """The first rows of one variant of one draw on the devices."""
        supply = self.supply
        key = (variant, draw, label_seed, rows, training.hidden, training.initial_std)
        if key not in self._ready:
            while len(self._ready) >= supply.datasets:
                self._ready.popitem(last=False)
            dataset = views.label(supply.pools[draw], variant, label_seed, rows)
            self._ready[key] = learner.prepare(dataset, training, supply.start)
        self._ready.move_to_end(key)
        return self._ready[key]

    def work_off(self, order: Order) -> ScoredAgents:
        """Train and score an order's agents.

        Raises:
            ValueError: see `learner.train` and `evaluation.returns`.
        """
        count = len(order.objectives)
        missing = max(order.size - count, 0)
        began = time.perf_counter()
        trained = learner.train(
            [*order.objectives, *[order.objectives[-1]] * missing],
            self.prepared(order.variant, order.draw, order.label_seed, order.rows, order.training),
            seeds=[*order.seeds, *[order.seeds[-1]] * missing],
            settings=order.training,
            keep_epochs=order.curve_episodes is not None,
        )
        policies: Policy = jax.block_until_ready(trained.policies)
        trained_at = time.perf_counter()
        seeds = [*order.episodes_seeds, *[order.episodes_seeds[-1]] * missing]
        returns = self._returns(policies, order.episodes, seeds, order.deterministic)
        curves = {name: np.asarray(values) for name, values in trained.curves._asdict().items()}
        if order.curve_episodes is not None and trained.after_epochs is not None:
            shape = curves["loss"].shape
            each = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), trained.after_epochs)
            of_each = [seed for seed in seeds for _ in range(shape[1])]
            after = self._returns(each, order.curve_episodes, of_each, order.deterministic)
            curves["return_mean"] = after.mean(axis=1, dtype=np.float64).reshape(shape)
        scored_at = time.perf_counter()
        return ScoredAgents(
            returns=returns[:count],
            diverged=trained.diverged[:count],
            curves={name: values[:count] for name, values in curves.items()},
            stages=trained.stages,
            policies=jax.tree.map(lambda x: np.asarray(x)[:count], policies),
            train_seconds=trained_at - began,
            evaluate_seconds=scored_at - trained_at,
            on_task=self.supply.held_out is None,
        )

    def _returns(
        self, policies: Policy, episodes: int, seeds: Sequence[int], deterministic: bool
    ) -> np.ndarray:
        if self.supply.held_out is not None:
            return 100.0 * agreement(policies, self.supply.held_out)
        assert self.supply.task is not None  # see `Supply`
        return evaluation.returns(policies, self.supply.task, episodes, seeds, deterministic)
