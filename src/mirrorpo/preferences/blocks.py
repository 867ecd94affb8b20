"""Simulated trajectories of two source agents, a block of start states at a time."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.runtime.devices import SIMULATION_OPTIONS, gathered, map_over_devices
from mirrorpo.simulation import host_rollout, rollout
from mirrorpo.simulation.own_policy import Actor, OwnPolicy
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask, Task
from mirrorpo.variants import BETTER, COPIES, WORSE

ROWS_A_JOB = 50
JOBS_A_BLOCK = 2
ROWS_A_BLOCK = ROWS_A_JOB * JOBS_A_BLOCK


def simulate(
    policies: Sequence[Actor], block: int, rows: int, seed: int, task: AnyTask
) -> dict[str, np.ndarray]:
    """One block of start states: from each, `COPIES` trajectories of each agent.

    Args:
        policies: the policies of the better and the worse agent.
        block: number of the block.
        rows: start states of the pool; the last block may hold more.
        seed: the seed of the pool.
        task: where the agents act.

    Returns:
        The arrays of `data.Trajectories`, by name, in the pool's order.

    Raises:
        ValueError: the environment fails.
    """
    stacked = None
    if not any(isinstance(policy, OwnPolicy) for policy in policies):
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *policies)
    if isinstance(task, Task) and stacked is not None:
        jobs = _compiled_block(stacked, jnp.int32(block), jnp.int32(seed), task=task)
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


@partial(jax.jit, static_argnames="task", compiler_options=SIMULATION_OPTIONS)
def _compiled_block(
    policies: Policy, block: jax.Array, seed: jax.Array, *, task: Task
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
    return map_over_devices(one_job, (which, run), policies)


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
