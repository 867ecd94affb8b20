"""Source agents like the shipped ones but for their noise or the bound of their mean actions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mirrorpo.agents import agent_files
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import Policy
from mirrorpo.training_settings import LEAST_STD

EPISODES = 100


def noisier(policy: Policy, std: float) -> Policy:
    """The policy with another standard deviation of its actions, above `LEAST_STD`."""
    arrays = agent_files.pack(policy)
    raw = np.log(std / LEAST_STD - 1.0)
    arrays["raw_std"] = np.full_like(arrays["raw_std"], raw)
    return agent_files.unpack(arrays, policy.mean_limit)


def unbounded(policy: Policy) -> Policy:
    """The policy without the bound of its mean actions: where it asked for nearly all that a motor
    gives it asks for more, so that its noise counts less there."""
    return agent_files.unpack(agent_files.pack(policy), None)


def write(name: str, changed: Policy, task: tasks.AnyTask, path: Path) -> str:
    """Measure a changed policy and save it with a card, once; its path as text.

    Args:
        name: the shipped agent that it was made of.
        changed: the policy.
        task: where it is measured.
        path: file to write, ending in .safetensors.
    """
    if not path.is_file():
        _, card = agent_files.load(name)
        card = replace(card, name=path.stem, episodes=EPISODES, settings={"changed": path.stem})
        path.parent.mkdir(parents=True, exist_ok=True)
        agent_files.save(path, changed, agent_files.measured(changed, task, card))
    return str(path)
