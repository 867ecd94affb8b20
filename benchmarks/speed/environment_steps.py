"""Evaluation of a population: environment steps a second, by MirrorPO and by brax's evaluator."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax import envs
from brax.training.acting import Evaluator

from mirrorpo.simulation import evaluation
from mirrorpo.simulation.policy import Policy, new_policy
from mirrorpo.simulation.tasks import Task

from .timing import timed


def measure(
    by: str, task: Task, agents: int, episodes: int, least_seconds: float
) -> dict[str, float]:
    """Environment steps a second of whole evaluations, compilation apart.

    Args:
        by: "mirrorpo" or "brax".
        task: one whose episodes all have their full length.
        agents: the size of the population.
        episodes: the number per agent.
        least_seconds: see `timed`.
    """
    keys = jax.random.split(jax.random.key(0), agents)
    zeros = np.zeros(task.observation_size, np.float32)
    policies = jax.vmap(lambda key: new_policy(key, task.action_size, zeros, zeros + 1))(keys)
    once = {"mirrorpo": _by_mirrorpo, "brax": _by_brax}[by](task, policies, agents, episodes)
    seconds = timed(once, least_seconds)
    return {
        "steps_a_second": agents * episodes * task.episode_length / seconds.fastest,
        "seconds": seconds.fastest,
        "compile_seconds": seconds.first_extra,
    }


def _by_mirrorpo(task: Task, policies: Policy, agents: int, episodes: int) -> Callable[[], Any]:
    return lambda: evaluation.returns(policies, task, episodes)


def _by_brax(task: Task, policies: Policy, agents: int, episodes: int) -> Callable[[], Any]:
    """brax's training wrappers, and its evaluator for one agent after another."""

    def policy_of(policy: Policy) -> Callable:
        return lambda observation, key: (jnp.clip(policy.act(observation, key), -1, 1), {})

    evaluator = Evaluator(
        envs.training.wrap(task.env, task.episode_length),
        policy_of,
        num_eval_envs=episodes,
        episode_length=task.episode_length,
        action_repeat=1,
        key=jax.random.PRNGKey(0),
    )
    each = [jax.tree.map(lambda x, at=at: x[at], policies) for at in range(agents)]
    return lambda: [evaluator.run_evaluation(policy, {}) for policy in each]
