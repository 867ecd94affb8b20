"""Simulated trajectories of two source agents, a block of start states at a time."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.runtime.devices import (
    SIMULATION_OPTIONS,
    gathered,
    items_at_once,
    map_over_devices,
)
from mirrorpo.simulation import host_rollout, rollout
from mirrorpo.simulation.own_policy import Actor, OwnPolicy
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask, Task
from mirrorpo.variants import BETTER, COPIES, WORSE

ROWS_A_JOB = 50
JOBS_A_BLOCK = 2
ROWS_A_BLOCK = ROWS_A_JOB * JOBS_A_BLOCK

DEVICES_A_BLOCK = 2
"""Devices of a CPU that simulate one block together, as on the machines of the published data.
Spread over more, a device has fewer jobs, and the program for these orders its sums in another way
(see `SIMULATION_OPTIONS`): the Ant's contacts make other trajectories of that."""


def at_once(task: AnyTask) -> int:
    """How many blocks this process can simulate side by side, each on devices of its own."""
    if not isinstance(task, Task) or items_at_once() > 1:
        return 1
    return max(1, jax.local_device_count() // DEVICES_A_BLOCK)


def simulate(
    policies: Sequence[Actor],
    block: int,
    rows: int,
    seed: int,
    task: AnyTask,
    place: int = 0,
) -> dict[str, np.ndarray]:
    """One block of start states: from each, `COPIES` trajectories of each agent.

    Args:
        policies: the policies of the better and the worse agent.
        block: number of the block.
        rows: start states of the pool; the last block may hold more.
        seed: the seed of the pool.
        task: where the agents act.
        place: which of the `at_once` places works; the trajectories are the same from each.

    Returns:
        The arrays of `data.Trajectories`, by name, in the pool's order.

    Raises:
        ValueError: the environment fails.
    """
    stacked = None
    if not any(isinstance(policy, OwnPolicy) for policy in policies):
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *policies)
    if isinstance(task, Task) and stacked is not None:
        # In NumPy: an array of JAX's would be tied to the devices of the first place.
        held, numbers = jax.device_get(stacked), (np.int32(block), np.int32(seed))
        jobs = _compiled_block(held, *numbers, task=task, devices=_devices_of(place))
        return _in_order(jobs, block)
    made = _stepped_block(policies if stacked is None else stacked, block, rows, seed, task)
    return {name: np.asarray(value) for name, value in made.items()}


def _stepped_block(
    policies: Policy | Sequence[Actor], block: int, rows: int, seed: int, task: AnyTask
) -> dict[str, Any]:
    """A block that is stepped from Python; keys as in `_compiled_block`."""
    numbers = np.arange(block * ROWS_A_BLOCK, min((block + 1) * ROWS_A_BLOCK, rows))
    of_row, copy = np.repeat(numbers, 2 * COPIES), np.tile(np.arange(2 * COPIES), len(numbers))
    start_key, noise_key = jax.random.split(jax.random.key(seed))
    starts = jax.vmap(partial(jax.random.fold_in, start_key))(of_row)
    noises = jax.vmap(
        lambda which, row: jax.random.fold_in(jax.random.fold_in(noise_key, which), row)
    )(copy, of_row)
    agent = copy // COPIES
    episodes = host_rollout.run(task, policies, agent, starts, noises, record=True)
    sides = np.array([BETTER, WORSE], np.int8)
    return {**episodes._asdict(), "agent": sides[agent], "start": of_row.astype(np.int32)}


def _devices_of(place: int) -> tuple[jax.Device, ...]:
    devices = jax.local_devices()
    if items_at_once() > 1:
        return tuple(devices)
    return tuple(devices[DEVICES_A_BLOCK * place :][:DEVICES_A_BLOCK])


@partial(jax.jit, static_argnames=("task", "devices"), compiler_options=SIMULATION_OPTIONS)
def _compiled_block(
    policies: Policy,
    block: jax.Array,
    seed: jax.Array,
    *,
    task: Task,
    devices: tuple[jax.Device, ...],
) -> rollout.Episodes:
    """One block of start states: episodes of shape (jobs, rows per job, ...)."""
    first = block * ROWS_A_BLOCK
    start_key, noise_key = jax.random.split(jax.random.key(seed))

    def one_job(job: tuple[jax.Array, jax.Array], policies: Policy) -> rollout.Episodes:
        """One copy of one agent's trajectories from a run of start states."""
        which, run = job
        policy = jax.tree.map(lambda x: x[which // COPIES], policies)
        rows = first + run * ROWS_A_JOB + jnp.arange(ROWS_A_JOB)
        starts = jax.vmap(partial(jax.random.fold_in, start_key))(rows)
        noises = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(noise_key, which)))(rows)
        return rollout.record(task, policy, starts, noises)

    which = jnp.repeat(jnp.arange(2 * COPIES), JOBS_A_BLOCK)
    run = jnp.tile(jnp.arange(JOBS_A_BLOCK), 2 * COPIES)
    return map_over_devices(one_job, (which, run), policies, devices=devices)


def _in_order(episodes: rollout.Episodes, block: int) -> dict[str, np.ndarray]:
    """One block of start states, in the pool's order."""
    done = gathered(episodes, 2 * COPIES * JOBS_A_BLOCK)._asdict()
    by_agent = {n: x.reshape(2 * COPIES, ROWS_A_BLOCK, *x.shape[2:]) for n, x in done.items()}
    rows = block * ROWS_A_BLOCK + np.arange(ROWS_A_BLOCK, dtype=np.int32)
    return {
        **{n: np.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]) for n, x in by_agent.items()},
        "agent": np.tile(np.repeat(np.array([BETTER, WORSE], np.int8), COPIES), ROWS_A_BLOCK),
        "start": np.repeat(rows, 2 * COPIES),
    }
