"""A policy with more units in its hidden layers, which acts as before."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorpo.simulation.policy import Policy

SEED = 0
"""The seed of the added units' weights: equal policies widened alike get equal ones."""


def widened(policy: Policy, hidden: Sequence[int]) -> Policy:
    """The policy with `hidden` units per layer, whose actions are as before up to rounding.

    The added units read what they like, and nobody reads them yet, except for one another: so
    training finds them, and nothing has to be unlearned.

    Args:
        policy: any.
        hidden: units of each hidden layer, at least the policy's own.

    Raises:
        ValueError: another number of layers, or fewer units in one.
    """
    own = policy.hidden
    if len(hidden) != len(own) or any(new < old for new, old in zip(hidden, own, strict=True)):
        raise ValueError(
            f"A policy with layers of {_listed(own)} units can only be widened: {_listed(hidden)} "
            f"would need another number of layers, or fewer units in one."
        )
    random = np.random.default_rng(SEED)
    layers = dict(policy.parameters["params"])
    inputs = policy.observation_size
    for i, units in enumerate(hidden):
        layer = layers[f"layers_{i}"]
        old = np.asarray(layer["kernel"])
        kernel = random.normal(0, np.sqrt(2 / inputs), (inputs, units))
        kernel[:, : old.shape[1]] = 0
        kernel[: old.shape[0], : old.shape[1]] = old
        bias = np.pad(np.asarray(layer["bias"]), (0, units - old.shape[1]))
        layers[f"layers_{i}"] = {"kernel": kernel.astype(old.dtype), "bias": bias}
        inputs = units
    last = policy.kind.last
    layers[last] = _with_inputs(layers[last], inputs)
    return policy.with_parameters({**policy.parameters, "params": layers})


def _with_inputs(layer: Mapping[str, Any], inputs: int) -> dict[str, Any]:
    """A layer that reads nothing of what is added to its inputs."""
    kernel = np.asarray(layer["kernel"])
    return {**layer, "kernel": np.pad(kernel, ((0, inputs - kernel.shape[0]), (0, 0)))}


def _listed(hidden: Sequence[int]) -> str:
    return " x ".join(map(str, hidden))
