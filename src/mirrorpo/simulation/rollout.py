"""Episodes of a policy on a task: one compiled loop for a batch, no auto-reset inside."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import Task


class Episodes(NamedTuple):
    """Recorded episodes; steps at and after `length` are not valid and hold zeros.

    Attributes:
        observations: shape (episodes, steps, observations), as the policy saw them, before
            normalisation.
        actions: shape (episodes, steps, actions), as sampled, before clipping.
        length: valid steps of each episode, shape (episodes,), int32.
        returns: sum of true rewards over the valid steps, shape (episodes,).
    """

    observations: jax.Array
    actions: jax.Array
    length: jax.Array
    returns: jax.Array


def episode_keys(key: jax.Array, episodes: int) -> tuple[jax.Array, jax.Array]:
    """Keys of the start states and of the action noise, one of each per episode."""
    start, noise = jax.random.split(key)
    return jax.random.split(start, episodes), jax.random.split(noise, episodes)


def _act(policy: Policy, observation: jax.Array, keys: jax.Array | None, t: jax.Array) -> jax.Array:
    if keys is None:
        return policy.act(observation, None)
    return jax.vmap(lambda o, k: policy.act(o, jax.random.fold_in(k, t)))(observation, keys)


def returns(
    task: Task,
    policy: Policy,
    start_keys: jax.Array,
    noise_keys: jax.Array | None,
    steps: jax.Array | int,
) -> tuple[jax.Array, jax.Array]:
    """True return and length of a batch of episodes; stops when every robot has fallen.

    Args:
        task: where the policy acts.
        policy: one policy, no leading axis.
        start_keys: shape (episodes,), draws the start states.
        noise_keys: shape (episodes,), draws the action noise; None for mean actions.
        steps: the step at which an episode is cut, in place of the task's own; may be traced.

    Returns:
        Sum of rewards, shape (episodes,), and number of steps, shape (episodes,).
    """

    def alive_and_in_time(carry: tuple[Any, ...]) -> jax.Array:
        _, alive, _, _, t = carry
        return jnp.any(alive) & (t < steps)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        state, alive, total, length, t = carry
        action = _act(policy, state.obs, noise_keys, t)
        state = jax.vmap(task.step)(state, action)
        total = total + jnp.where(alive, state.reward, 0.0)
        length = length + alive
        return state, alive & (state.done < 0.5), total, length, t + 1

    state = jax.vmap(task.reset)(start_keys)
    episodes = start_keys.shape[0]
    carry = (
        state,
        jnp.ones(episodes, bool),
        jnp.zeros(episodes),
        jnp.zeros(episodes, jnp.int32),
        jnp.int32(0),
    )
    _, _, total, length, _ = jax.lax.while_loop(alive_and_in_time, step, carry)
    return total, length


def record(task: Task, policy: Policy, start_keys: jax.Array, noise_keys: jax.Array) -> Episodes:
    """Episodes with their observations and actions; arguments as in `returns`."""

    def step(carry: Any, t: jax.Array) -> tuple[Any, Any]:
        state, alive = carry
        action = _act(policy, state.obs, noise_keys, t)
        seen = jnp.where(alive[:, None], state.obs, 0.0)
        done = jnp.where(alive[:, None], action, 0.0)
        state = jax.vmap(task.step)(state, action)
        reward = jnp.where(alive, state.reward, 0.0)
        return (state, alive & (state.done < 0.5)), (seen, done, reward, alive)

    state = jax.vmap(task.reset)(start_keys)
    alive = jnp.ones(start_keys.shape[0], bool)
    _, (observations, actions, rewards, valid) = jax.lax.scan(
        step, (state, alive), jnp.arange(task.episode_length)
    )
    return Episodes(
        observations=jnp.swapaxes(observations, 0, 1),
        actions=jnp.swapaxes(actions, 0, 1),
        length=jnp.sum(valid, axis=0, dtype=jnp.int32),
        returns=jnp.sum(rewards, axis=0),
    )
