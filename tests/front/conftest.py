"""A light robot in place of Hopper, and its two source agents: all that a run does, in seconds."""

import jax
import numpy as np
import pytest

from mirrorpo.agents import sources
from mirrorpo.agents.agent_files import AgentCard, save
from mirrorpo.agents.sources import Sources
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import new_policy
from tests.reliability import point


@pytest.fixture(scope="session")
def point_agents(tmp_path_factory):
    """Files of a steady agent, and of a shaky one that leans to one side."""
    folder = tmp_path_factory.mktemp("agents")
    for name, noise, push in (("better", 0.41, 0.0), ("worse", 4.0, 0.3)):
        zeros, ones = np.zeros(2, "f4"), np.ones(2, "f4")
        policy = new_policy(jax.random.key(0), 1, zeros, ones, (8,), initial_std=noise)
        layer = policy.parameters["params"]["mean"]
        layer["kernel"], layer["bias"] = 0.1 * layer["kernel"], layer["bias"] + push
        save(folder / name, policy, AgentCard(name, "hopper", "positional", 0, 1, 100, 0, 1000, 0))
    return tuple(str(folder / f"{name}.safetensors") for name in ("better", "worse"))


@pytest.fixture(scope="package")
def light_hopper(point_agents, tmp_path_factory):
    """The task named hopper is a point on a line, and its source agents move that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORPO_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("_brax_env", "load"):
            patch.setattr(tasks, name, getattr(tasks, name))  # to be put back
        point.stand_in_for_hopper()
        tasks._sizes.cache_clear()
        own = Sources(*point_agents, start=None, rows=64)
        patch.setitem(sources.SOURCES, "hopper", own)
        yield
    tasks._sizes.cache_clear()


SMALL = {
    "variants": ["base", "noisy:0.3"],
    "algorithms": "sft,orpo",
    "seeds": 2,
    "rows": 16,
    "epochs": 6,
    "time_steps": 4,
    "episodes": 3,
    "data_draws": 1,
    "allow_short": True,
}
"""A bench of seconds."""

SEARCH = {
    "variants": "noisy:0.3",
    "learn": "link",
    "parameters": "activations",
    "generations": 2,
    "population": 4,
    "rows": 16,
    "epochs": 4,
    "time_steps": 4,
    "episodes": 3,
    "validate_every": 1,
    "validation_seeds": 2,
    "validation_rows": 16,
    "validation_time_steps": 4,
    "validation_episodes": 3,
}
"""A search of seconds."""
