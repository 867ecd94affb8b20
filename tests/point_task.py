"""The task "point", a mass on a line: all that a run does, without minutes of compiling a robot.

A process that imports this file has the task.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax import envs
from brax.envs.base import Env, State

from mirrorpo.agents.agent_files import AgentCard, save
from mirrorpo.agents.sources import SOURCES, Sources
from mirrorpo.simulation import tasks
from mirrorpo.simulation.brax_robots import Sizes
from mirrorpo.simulation.policy import new_policy

NAME = "point"


class Point(Env):
    """A mass on a line, pushed by the action, that earns most near zero and falls off at 3."""

    def __init__(self, backend: str = "positional", **settings):
        self._backend = backend

    @property
    def observation_size(self) -> int:
        return 2

    @property
    def action_size(self) -> int:
        return 1

    @property
    def backend(self) -> str:
        return self._backend

    def reset(self, rng: jax.Array) -> State:
        at = jnp.array([1.0, 0.3]) * jax.random.uniform(rng, (2,), minval=-1.0, maxval=1.0)
        return State(at, at, jnp.zeros(()), jnp.zeros(()))

    def step(self, state: State, action: jax.Array) -> State:
        place, speed = state.obs
        speed = 0.9 * speed + 0.1 * action[0]
        at = jnp.stack([place + 0.2 * speed, speed])
        fell = (jnp.abs(at[0]) > 3.0).astype(jnp.float32)
        return State(at, at, 1.0 - at[0] ** 2, fell)


if NAME not in tasks.available():
    envs.register_environment(NAME, Point)
    tasks.register(NAME, NAME, backend="positional")


def write_agents(folder: Path, push: float = 0.0) -> tuple[Path, Path]:
    """Files of two random agents that push little; with a `push` of 9 they fall at once."""
    paths = []
    for seed, name in enumerate(("first", "second")):
        zeros, ones = np.zeros(2, "f4"), np.ones(2, "f4")
        policy = new_policy(jax.random.key(seed), 1, zeros, ones, (8,), initial_std=0.41)
        layer = policy.parameters["params"]["mean"]
        layer["kernel"], layer["bias"] = 0.1 * layer["kernel"], layer["bias"] + push
        save(folder / name, policy, AgentCard(name, NAME, "positional", 0.0, 1.0, 100, 0, 60, seed))
        paths.append(folder / f"{name}.safetensors")
    return paths[0], paths[1]


def bench(two_agents: tuple[Path, Path]) -> dict[str, Any]:
    """Settings of a small bench on this task and one draw of two agents' data."""
    return {
        "task": NAME,
        "rows": 8,
        "time_steps": 8,
        "better": str(two_agents[0]),
        "worse": str(two_agents[1]),
        # Random agents fall at once.
        "allow_short": True,
        "data_draws": 1,
    }


def stand_in_for_hopper(monkeypatch, folder: Path) -> None:
    """Let "hopper" be this task, with two random agents, a cache in `folder` and no start."""
    jax.clear_caches()
    monkeypatch.setenv("MIRRORPO_CACHE", str(folder / "cache"))
    agents = Sources(*map(str, write_agents(folder)), start=None, rows=8)
    monkeypatch.setitem(SOURCES, "hopper", agents)
    monkeypatch.setattr(tasks, "_brax_env", lambda robot, backend: Point(backend))
    monkeypatch.setattr(tasks, "_sizes", lambda robot, backend: Sizes(2, 1))
