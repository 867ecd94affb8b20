"""The work that every implementation is given: the same pairs, start, loss and optimiser."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

OBSERVATIONS, ACTIONS = 27, 8
MINIBATCH = 2
BETA, SFT_WEIGHT = 1.0, 0.2
LEARNING_RATE, MAX_GRADIENT_NORM = 1e-3, 1.3
STD_FLOOR = 0.4


@dataclass(frozen=True)
class Workload:
    """Agents that each take some gradient steps with the loss CPO.

    Attributes:
        agents: the size of the population.
        hidden: units of each of the two hidden layers.
        gradient_steps: the number per agent, with `MINIBATCH` pairs each.
        time_steps: the number per trajectory, all of them used.
    """

    agents: int
    hidden: int
    gradient_steps: int
    time_steps: int = 1000

    @property
    def agent_steps(self) -> int:
        return self.agents * self.gradient_steps

    @property
    def rows(self) -> int:
        """Pairs of the dataset: one pass over it takes the gradient steps."""
        return self.gradient_steps * MINIBATCH


def pairs(work: Workload, seed: int = 0) -> dict[str, np.ndarray]:
    """Random trajectories of two kinds, so that there is something to prefer: `observations` and
    `actions` of shape (2: chosen and rejected, rows, time steps, size), float32."""
    draw = np.random.default_rng(seed)
    shape = (2, work.rows, work.time_steps)
    observations = draw.standard_normal((*shape, OBSERVATIONS), np.float32)
    actions = draw.standard_normal((*shape, ACTIONS), np.float32)
    for side, shift in enumerate((0.5, -0.5)):
        actions[side] += np.float32(shift) * observations[side, ..., :ACTIONS]
    return {"observations": observations, "actions": actions}


def start(work: Workload, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameters that all agents start from: kernels (inputs, outputs), biases, and `raw_std`,
    for a standard deviation of ``STD_FLOOR * (1 + exp(raw_std))``."""
    draw = np.random.default_rng(seed)
    sizes = (OBSERVATIONS, work.hidden, work.hidden, ACTIONS)
    parameters: dict[str, np.ndarray] = {}
    for layer, (before, after) in enumerate(pairwise(sizes)):
        kernel = draw.normal(size=(before, after)) / np.sqrt(before)
        parameters[f"kernel_{layer}"] = kernel.astype(np.float32)
        parameters[f"bias_{layer}"] = np.zeros(after, np.float32)
    parameters["raw_std"] = np.full(ACTIONS, np.log(1 / STD_FLOOR - 1), np.float32)
    return parameters


def orders(work: Workload, seed: int = 0) -> np.ndarray:
    """Each agent's minibatches in its own order: row numbers of shape (agents, gradient steps,
    `MINIBATCH`)."""
    draw = np.random.default_rng(seed)
    shuffled = [draw.permutation(work.rows) for _ in range(work.agents)]
    return np.array(shuffled).reshape(work.agents, work.gradient_steps, MINIBATCH)


def from_policy(parameters: Any) -> dict[str, np.ndarray]:
    """The parameters of MirrorPO's policies under this module's names."""
    layers = parameters["params"]
    found = {"raw_std": np.asarray(layers["raw_std"])}
    for number, name in enumerate(("layers_0", "layers_1", "mean")):
        found[f"kernel_{number}"] = np.asarray(layers[name]["kernel"])
        found[f"bias_{number}"] = np.asarray(layers[name]["bias"])
    return found
