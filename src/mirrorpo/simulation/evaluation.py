"""The true return of policies: independent episodes, each with its own start state."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.simulation import rollout
from mirrorpo.runtime.devices import map_over_devices
from mirrorpo.simulation.policy import Policy, finite_agents
from mirrorpo.simulation.tasks import Task

EPISODES_A_BATCH = 50
"""Episodes that one device rolls out together. A constant, so that a return does not depend on
how many policies or devices there are."""


def returns(
    policies: Policy,
    task: Task,
    episodes: int = 100,
    seed: int = 0,
    deterministic: bool = False,
) -> np.ndarray:
    """True return of each episode of each policy.

    Every policy meets the same start states and the same action noise.

    Args:
        policies: leaves with a leading axis of policies.
        task: where to act.
        episodes: number of episodes a policy.
        seed: draws start states and action noise.
        deterministic: take the mean action in place of a sampled one.

    Returns:
        Sum of rewards over each episode, shape (policies, episodes), float32. A policy whose
        parameters are not finite has NaN returns.

    Raises:
        ValueError: episodes below 1, or a policy for another robot.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, not {episodes}.")
    check_sizes(policies, task)
    count = policies.observation_mean.shape[0]
    batches = -(-episodes // EPISODES_A_BATCH)
    size = min(episodes, EPISODES_A_BATCH)
    starts, noises = rollout.episode_keys(jax.random.key(seed), batches * size)
    policy_index = jnp.repeat(jnp.arange(count), batches)
    batch_index = jnp.tile(jnp.arange(batches), count)
    # XLA compiles a choice from one policy to other operations, with other last digits, than a
    # choice from several.
    several = policies if count > 1 else jax.tree.map(lambda x: jnp.repeat(x, 2, axis=0), policies)
    total = _returns(
        several,
        policy_index,
        batch_index,
        starts.reshape(batches, size),
        noises.reshape(batches, size),
        task=task,
        deterministic=deterministic,
    )
    result = np.asarray(total).reshape(count, batches * size)[:, :episodes]
    return np.where(finite_agents(policies)[:, None], result, np.nan)


@partial(jax.jit, static_argnames=("task", "deterministic"))
def _returns(
    policies: Policy,
    policy_index: jax.Array,
    batch_index: jax.Array,
    starts: jax.Array,
    noises: jax.Array,
    *,
    task: Task,
    deterministic: bool,
) -> jax.Array:
    def one_batch(job: tuple, policies: Policy, starts: jax.Array, noises: jax.Array) -> jax.Array:
        which, batch = job
        policy = jax.tree.map(lambda x: x[which], policies)
        noise = None if deterministic else noises[batch]
        return rollout.returns(task, policy, starts[batch], noise)[0]

    return map_over_devices(one_batch, (policy_index, batch_index), policies, starts, noises)


def check_sizes(policies: Policy, task: Task) -> None:
    """Raise ValueError where a policy's sizes are not the task's."""
    if policies.observation_size != task.observation_size:
        raise ValueError(
            f"The policy takes {policies.observation_size} observations, but task {task.name!r} "
            f"has {task.observation_size}. Was the policy trained on another robot?"
        )
    if policies.action_size != task.action_size:
        raise ValueError(
            f"The policy has {policies.action_size} actions, but task {task.name!r} takes "
            f"{task.action_size}. Was the policy trained on another robot?"
        )
