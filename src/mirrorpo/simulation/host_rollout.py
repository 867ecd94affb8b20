"""Episodes stepped from Python: policies act in batches, no auto-reset inside an episode.

The counterpart of `rollout` for what JAX cannot compile. Start states and action noise come from
the same keys; a return does not depend on which other episodes run beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.simulation.own_policy import Actor, OwnPolicy
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.slots import Slots, open_slots, seeds_of
from mirrorpo.simulation.tasks import AnyTask

SLOTS = 16
"""Episodes that run side by side. A constant, so that the program that acts, and with it every
last digit, does not depend on how many episodes there are."""


class HostEpisodes(NamedTuple):
    """Episodes in the order of their keys; see `rollout.Episodes`.

    Attributes:
        observations: shape (episodes, steps, observations); (episodes, 0, observations) where
            nothing was recorded.
        actions: shape (episodes, steps, actions); (episodes, 0, actions) where nothing was
            recorded.
        length: shape (episodes,), int32.
        returns: shape (episodes,), float32.
    """

    observations: np.ndarray
    actions: np.ndarray
    length: np.ndarray
    returns: np.ndarray


def run(
    task: AnyTask,
    policies: Policy | Sequence[Actor],
    which: np.ndarray,
    start_keys: jax.Array,
    noise_keys: jax.Array | None,
    record: bool = False,
) -> HostEpisodes:
    """Run one episode for each key.

    Args:
        task: where to act.
        policies: leaves with a leading axis of policies; or single policies of any kind.
        which: policy of each episode, shape (episodes,).
        start_keys: shape (episodes,), draws the start states.
        noise_keys: shape (episodes,), draws the action noise; None for mean actions.
        record: keep observations and actions.

    Raises:
        ValueError: the environment fails, or a policy of the user's.
    """
    jobs = len(which)
    starts = seeds_of(start_keys)
    noises = np.zeros_like(starts) if noise_keys is None else seeds_of(noise_keys)
    steps = task.episode_length if record else 0
    seen = np.zeros((jobs, steps, task.observation_size), np.float32)
    done = np.zeros((jobs, steps, task.action_size), np.float32)
    total, length = np.zeros(jobs, np.float32), np.zeros(jobs, np.int32)
    count = min(SLOTS, jobs)
    # Slots without an episode act on zeros; their results are dropped.
    shown = np.zeros((SLOTS, task.observation_size), np.float32)
    act = _acting(task, policies, noise_keys is None)
    with _held(task, count) as slots:
        job, following = np.arange(count), count
        alive = np.ones(count, bool)
        slots.restart(alive, starts[job])
        while alive.any():
            shown[:count] = slots.observations
            padded = np.concatenate([job, np.zeros(SLOTS - count, int)])
            clock = length[padded]
            actions = act(which[padded], shown, noises[padded], clock)[:count]
            now = job[alive]
            if record:
                seen[now, length[now]] = shown[:count][alive]
                done[now, length[now]] = actions[alive]
            gave = slots.step(actions)
            total[now] += gave.reward[alive]
            length[now] += 1
            over = gave.fell | gave.cut | (alive & (length[job] >= task.episode_length))
            if over.any():
                for slot in np.flatnonzero(over & alive):
                    if following < jobs:
                        job[slot], following = following, following + 1
                    else:
                        alive[slot] = False
                if alive.any():
                    # A slot without an episode repeats its last one; the result is dropped.
                    slots.restart(over, starts[job])
    return HostEpisodes(seen, done, length, total)


@contextmanager
def _held(task: AnyTask, count: int) -> Iterator[Slots]:
    """Slots of a task, kept for the next call: making a robot takes longer than many steps."""
    key = (task, count)
    slots = _FREE.pop(key, None) or open_slots(task, count)
    yield slots
    # An environment that failed is not reused.
    for old in [one for one in _FREE if one[0] != task]:
        _FREE.pop(old).close()
    _FREE[key] = slots


_FREE: dict[tuple[AnyTask, int], Slots] = {}


Act = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From policy numbers, observations, key data of the noise and times of all slots to actions."""


def _acting(task: AnyTask, policies: Policy | Sequence[Actor], deterministic: bool) -> Act:
    if isinstance(policies, Policy):
        program = _actor(deterministic)
        return lambda *of_slots: np.asarray(program(policies, *of_slots))
    parts = [
        policy
        if isinstance(policy, OwnPolicy)
        else _acting(
            task, several(jax.tree.map(lambda x: jnp.asarray(x)[None], policy)), deterministic
        )
        for policy in policies
    ]

    def act(which: np.ndarray, seen: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        actions = np.zeros((len(which), task.action_size), np.float32)
        for number, part in enumerate(parts):
            here = which == number
            if not here.any():
                continue
            if isinstance(part, OwnPolicy):
                actions[here] = part.act(seen[here], task.action_size)
            else:
                actions[here] = part(np.zeros_like(which), seen, *rest)[here]
        return actions

    return act


@cache
def _actor(deterministic: bool) -> jax.stages.Wrapped:
    def one(
        policies: Policy, which: jax.Array, seen: jax.Array, noise: jax.Array, time: jax.Array
    ) -> jax.Array:
        policy = jax.tree.map(lambda x: x[which], policies)
        if deterministic:
            return policy.act(seen, None)
        return policy.act(seen, jax.random.fold_in(jax.random.wrap_key_data(noise), time))

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0, 0)))


def several(policies: Policy) -> Policy:
    """The policies, a lone one twice.

    XLA compiles a choice from one to other operations, with other last digits, than a choice from
    several.
    """
    if policies.observation_mean.shape[0] > 1:
        return policies
    return jax.tree.map(lambda x: jnp.repeat(x, 2, axis=0), policies)
