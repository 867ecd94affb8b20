"""Source agents and starts like the shipped ones but for one thing: their noise, or their width."""

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


def wider(policy: Policy, units: int, seed: int = 0) -> Policy:
    """The policy with `units` in each hidden layer, which acts as before: the added units read what
    they like and nobody reads them yet, except for one another.

    Raises:
        ValueError: a layer has more units already.
    """
    arrays = agent_files.pack(policy)
    random = np.random.default_rng(seed)
    layers = sorted(name for name in arrays if name.startswith("layers_") and "kernel" in name)
    inputs = arrays["observation_mean"].size
    for name in layers:
        old = arrays[name]
        if units < old.shape[1]:
            raise ValueError(f"{name} has {old.shape[1]} units, more than {units}.")
        new = random.normal(0, np.sqrt(2 / inputs), (inputs, units))
        new[:, : old.shape[1]] = 0
        new[: old.shape[0], : old.shape[1]] = old
        arrays[name] = new.astype(np.float32)
        bias = name.replace("kernel", "bias")
        arrays[bias] = np.pad(arrays[bias], (0, units - old.shape[1]))
        inputs = units
    last = arrays["mean.kernel"]
    arrays["mean.kernel"] = np.pad(last, ((0, units - last.shape[0]), (0, 0)))
    return agent_files.unpack(arrays, policy.mean_limit)


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
