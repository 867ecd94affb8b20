"""The true return of policies: independent episodes, each with its own start state."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import limits
from mirrorpo.runtime.devices import (
    SIMULATION_OPTIONS,
    gathered,
    items_at_once,
    map_over_devices,
)
from mirrorpo.runtime.kept_traces import kept_program
from mirrorpo.simulation import host_rollout, rollout
from mirrorpo.simulation.gaussian import GaussianActor
from mirrorpo.simulation.own_policy import OwnPolicy
from mirrorpo.simulation.policy import Policy, finite_agents
from mirrorpo.simulation.tasks import EPISODE_LENGTH, AnyTask, Task

EPISODES_A_BATCH = 50
"""Episodes that one device rolls out together. A constant, so that a return does not depend on
how many policies or devices there are."""


SHORT_EPISODE = 50
"""An episode of fewer steps is short: too little of a gait to be worth a preference."""


class EpisodeReturns(NamedTuple):
    """Episodes of each policy; both of shape (policies, episodes).

    Attributes:
        returns: sum of true rewards over the episode, float32; NaN where the policy's parameters
            are not finite.
        lengths: steps of the episode, int32.
    """

    returns: np.ndarray
    lengths: np.ndarray


def returns(
    policies: Policy,
    task: AnyTask,
    episodes: int = 100,
    seed: int | Sequence[int] = 0,
    deterministic: bool = False,
) -> np.ndarray:
    """True return of each episode of each policy, shape (policies, episodes), float32.

    Arguments and errors as of `score`.
    """
    return score(policies, task, episodes, seed, deterministic).returns


def score(
    policies: Policy,
    task: AnyTask,
    episodes: int = 100,
    seed: int | Sequence[int] = 0,
    deterministic: bool = False,
) -> EpisodeReturns:
    """True return and length of each episode of each policy.

    Args:
        policies: leaves with a leading axis of policies.
        task: where to act.
        episodes: number of episodes per policy.
        seed: draws start states and action noise; one seed per policy, or one for all, who then
            meet the same start states and the same noise.
        deterministic: take the mean action in place of a sampled one.

    Raises:
        ValueError: episodes below 1, another number of seeds than policies, or a policy for
            another robot.
    """
    limits.at_least(1, episodes=episodes)
    check_sizes(policies, task)
    count = policies.observation_mean.shape[0]
    seeds = [seed] * count if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise ValueError(f"{count} policies need one seed each, not {len(seeds)}.")
    if not isinstance(task, Task):
        several = host_rollout.several(policies)
        return _score_in_python(several, count, task, episodes, seeds, deterministic)
    batches = -(-episodes // EPISODES_A_BATCH)
    size = min(episodes, EPISODES_A_BATCH)
    # In NumPy: JAX compiles each operation outside of a program for itself.
    of_policy = np.repeat(np.arange(count, dtype=np.int32), batches)
    of_batch = np.tile(np.arange(batches, dtype=np.int32), count)
    numbers, held = np.asarray(seeds, np.uint32), jax.device_get(policies)
    done = [
        _roll_out(
            jax.tree.map(lambda x, part=part: x[of_policy[part]], held),
            np.arange(len(part), dtype=np.int32),
            of_batch[part],
            numbers[of_policy[part]],
            np.int32(task.episode_length),
            # One program serves episodes of every length.
            task=replace(task, episode_length=EPISODE_LENGTH),
            batches=batches,
            size=size,
            deterministic=deterministic,
        )
        for part in _parts(count * batches)
    ]
    parts = [gathered(each, len(each[0])) for each in done]
    total, length = (np.concatenate(each)[: count * batches] for each in zip(*parts, strict=True))
    shape = (count, batches * size)
    result = total.reshape(shape)[:, :episodes]
    lengths = length.reshape(shape)[:, :episodes]
    return EpisodeReturns(np.where(finite_agents(policies)[:, None], result, np.nan), lengths)


def _parts(count: int) -> list[np.ndarray]:
    """The numbers of jobs that one program does at once.

    On a CPU it is one per device, the last job again where some are missing. Else it is all.

    So one program does any number of jobs on any number of devices. Another one would order its
    sums in another way, see `SIMULATION_OPTIONS`, and a robot's contacts would make another return
    of that.
    """
    at_once = jax.local_device_count() if items_at_once() == 1 else count
    numbers = np.arange(-(-count // at_once) * at_once).clip(max=count - 1)
    return list(numbers.reshape(-1, at_once))


def score_own(
    policy: OwnPolicy, task: AnyTask, episodes: int = 100, seed: int = 0
) -> EpisodeReturns:
    """True return and length of each episode of a policy of the user's, shape (1, episodes).

    Args:
        policy: acts by itself, with its own noise.
        task: where to act; stepped from Python, whatever it is.
        episodes: number of episodes.
        seed: draws the start states, which are those of `score`.

    Raises:
        ValueError: episodes below 1, or a policy that fails.
    """
    limits.at_least(1, episodes=episodes)
    batches = -(-episodes // EPISODES_A_BATCH)
    size = min(episodes, EPISODES_A_BATCH)
    keys = batches * size if isinstance(task, Task) else episodes
    starts, _ = rollout.episode_keys(jax.random.key(seed), keys)
    which = np.zeros(episodes, int)
    found = host_rollout.run(task, [policy], which, starts[:episodes], None)
    return EpisodeReturns(found.returns[None], found.length[None])


def _score_in_python(
    several: Policy,
    count: int,
    task: AnyTask,
    episodes: int,
    seeds: Sequence[int],
    deterministic: bool,
) -> EpisodeReturns:
    """The score of the first `count` policies where the environment steps in Python."""
    acting = np.flatnonzero(finite_agents(several)[:count])
    total = np.full((count, episodes), np.nan, np.float32)
    length = np.zeros((count, episodes), np.int32)
    if len(acting):
        keys = [rollout.episode_keys(jax.random.key(seeds[at]), episodes) for at in acting.tolist()]
        starts, noises = (jnp.concatenate(each) for each in zip(*keys, strict=True))
        which = np.repeat(acting, episodes)
        found = host_rollout.run(task, several, which, starts, None if deterministic else noises)
        total[acting] = found.returns.reshape(len(acting), episodes)
        length[acting] = found.length.reshape(len(acting), episodes)
    return EpisodeReturns(total, length)


def _may_keep(policies: Policy, *_: Any, task: Task, **__: Any) -> bool:
    """Whether no code of a user's is in the trace of a rollout."""
    return task.is_of_brax and policies.kind.actor is GaussianActor


@kept_program(("task", "batches", "size", "deterministic"), _may_keep, SIMULATION_OPTIONS)
def _roll_out(
    policies: Policy,
    policy_index: jax.Array,
    batch_index: jax.Array,
    seeds: jax.Array,
    steps: jax.Array,
    *,
    task: Task,
    batches: int,
    size: int,
    deterministic: bool,
) -> tuple[jax.Array, jax.Array]:
    def one_batch(
        job: tuple[Any, ...], policies: Policy, steps: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        which, batch, seed = job
        policy = jax.tree.map(lambda x: x[which], policies)
        starts, noises = rollout.episode_keys(jax.random.key(seed), batches * size)
        starts, noises = (keys.reshape(batches, size)[batch] for keys in (starts, noises))
        return rollout.returns(task, policy, starts, None if deterministic else noises, steps)

    return map_over_devices(one_batch, (policy_index, batch_index, seeds), policies, steps)


def check_sizes(policies: Policy, task: AnyTask) -> None:
    """Raise ValueError where a policy's sizes are not the task's."""
    if policies.observation_size != task.observation_size:
        raise ValueError(
            f"The policy takes {policies.observation_size} observations, but task {task.name!r} "
            f"has {task.observation_size}. Was the policy trained on another robot?"
        )
    kinds = [
        "real numbers" if choices is None else f"one of {choices} choices"
        for choices in (policies.choices, task.choices)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"The policy's actions are {kinds[0]}, but those of task {task.name!r} are {kinds[1]}. "
            "Was the policy trained on another robot?"
        )
    if policies.action_size != task.action_size:
        raise ValueError(
            f"The policy has {policies.action_size} actions, but task {task.name!r} takes "
            f"{task.action_size}. Was the policy trained on another robot?"
        )
