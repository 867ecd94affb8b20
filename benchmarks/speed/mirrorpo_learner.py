"""The workload, given to `mirrorpo.training.learner`."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import objectives
from mirrorpo.preferences import data
from mirrorpo.simulation.policy import Policy
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings

from . import workload
from .workload import Workload


def trainer(
    work: Workload, arrays: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
) -> Callable[[], dict[str, np.ndarray]]:
    """A function that trains all agents, and returns their parameters with a leading axis."""
    rows = work.rows
    trajectories = data.Trajectories(
        observations=arrays["observations"].reshape(2 * rows, work.time_steps, -1),
        actions=arrays["actions"].reshape(2 * rows, work.time_steps, -1),
        length=np.full(2 * rows, work.time_steps, np.int32),
        returns=np.zeros(2 * rows, np.float32),
        agent=np.zeros(2 * rows, np.int8),
        start=np.tile(np.arange(rows, dtype=np.int32), 2),
    )
    dataset = data.PreferenceDataset(
        trajectories, np.arange(rows, dtype=np.int32), np.arange(rows, 2 * rows, dtype=np.int32)
    )
    settings = TrainSettings(
        epochs=1,
        minibatch=workload.MINIBATCH,
        learning_rate=workload.LEARNING_RATE,
        schedule="constant",
        max_gradient_norm=workload.MAX_GRADIENT_NORM,
    )
    prepared = learner.prepare(dataset, settings, _policy(start))
    objective = objectives.get(
        "cpo", beta=workload.BETA, sft_weight=workload.SFT_WEIGHT, aggregation="mean"
    )

    def train() -> dict[str, np.ndarray]:
        trained = learner.train(
            objective, prepared, seeds=list(range(work.agents)), settings=settings
        )
        jax.block_until_ready(trained.policies)
        return workload.from_policy(trained.policies.parameters)

    return train


def _policy(start: Mapping[str, np.ndarray]) -> Policy:
    names = ("layers_0", "layers_1", "mean")
    layers = {
        name: {
            "kernel": jnp.asarray(start[f"kernel_{number}"]),
            "bias": jnp.asarray(start[f"bias_{number}"]),
        }
        for number, name in enumerate(names)
    }
    parameters = {"params": {**layers, "raw_std": jnp.asarray(start["raw_std"])}}
    mean, std = jnp.zeros(workload.OBSERVATIONS), jnp.ones(workload.OBSERVATIONS)
    # As the others' policies, whose mean has no bound.
    return Policy(parameters, mean, std, mean_limit=None)
