"""The policy that agents here share, source agents by PPO and trained ones.

See `policy_kinds` for how it acts.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jax.typing import ArrayLike

from mirrorpo.simulation import policy_kinds
from mirrorpo.simulation.policy_kinds import PolicyKind
from mirrorpo.training_settings import LEAST_STD, fixed_std


def start_std(parameters: Any, std: str) -> Any:
    """Parameters of `GaussianActor` whose standard deviation is as `std` says.

    This holds for every leading axis. Parameters whose standard deviation is learned stay as they
    are given. See `training_settings.fixed_std`. A `CategoricalActor` has none, and keeps its own.
    """
    value = fixed_std(std)
    inner = parameters["params"]
    if value is None or "raw_std" not in inner:
        return parameters
    # std = floor * (1 + e^raw); at the floor itself raw would be minus infinity.
    raw = math.log(max(value / LEAST_STD - 1.0, 1e-6))
    return {"params": {**inner, "raw_std": jnp.full_like(inner["raw_std"], raw)}}


def hold_std(gradient: Any, std: str) -> Any:
    """The gradient of `GaussianActor`'s parameters.

    The standard deviation's is left out where that is fixed.
    """
    inner = gradient["params"]
    if fixed_std(std) is None or "raw_std" not in inner:
        return gradient
    return {"params": {**inner, "raw_std": jnp.zeros_like(inner["raw_std"])}}


@struct.dataclass
class Policy:
    """A policy with its frozen observation normaliser.

    A pytree: leaves may have a leading axis of agents, which `learner.train` returns and
    `evaluation.returns` takes.

    Attributes:
        parameters: the parameters of its kind's actor, such as `GaussianActor`.
        observation_mean: shape (observations,).
        observation_std: shape (observations,), positive.
        mean_limit: the mean limit of `GaussianActor`; the same for all agents of a stack.
    """

    parameters: Any
    observation_mean: jax.Array
    observation_std: jax.Array
    mean_limit: float | None = struct.field(pytree_node=False, default=1.0)

    @property
    def observation_size(self) -> int:
        """Numbers of an observation."""
        return int(self.observation_mean.shape[-1])

    @property
    def kind(self) -> PolicyKind:
        """How it acts, as its parameters show."""
        return policy_kinds.of(self.parameters)

    @property
    def _outputs(self) -> int:
        """Width of the last layer."""
        return int(self.parameters["params"][self.kind.last]["kernel"].shape[-1])

    @property
    def action_size(self) -> int:
        """Numbers of an action; one, that of the choice, where actions are discrete."""
        return self.kind.action_size(self._outputs)

    @property
    def choices(self) -> int | None:
        """Number of discrete actions; None for a vector of real numbers."""
        return self.kind.choices(self._outputs)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        layers = self.parameters["params"]
        count = sum(name.startswith("layers_") for name in layers)
        return tuple(int(layers[f"layers_{i}"]["kernel"].shape[-1]) for i in range(count))

    @property
    def actor(self) -> nn.Module:
        """The network that the parameters are of."""
        return self.kind.actor(self._outputs, self.hidden, 1.0, self.mean_limit)

    def with_parameters(self, parameters: Any) -> "Policy":
        """The same policy with other parameters."""
        return Policy(parameters, self.observation_mean, self.observation_std, self.mean_limit)

    def normalise(self, observation: jax.Array) -> jax.Array:
        """Observations in standard deviations from the mean."""
        return (observation - self.observation_mean) / self.observation_std

    def act(self, observation: jax.Array, key: jax.Array | None) -> jax.Array:
        """A sampled action, or the mean or likeliest one where `key` is None; not clipped."""
        x = self.normalise(observation)
        chosen: Any = (
            self.actor.apply(self.parameters, x, method="mode")
            if key is None
            else self.actor.apply(self.parameters, x, key, method="sample")
        )
        return chosen

    def moments(self, normalised: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean actions and log standard deviations of a Gaussian policy.

        The observations are normalised.
        """
        result: Any = self.actor.apply(self.parameters, normalised)
        return result

    def log_prob(self, parameters: Any, normalised: jax.Array, action: jax.Array) -> jax.Array:
        """Log-density of actions under other parameters of this policy's shape, shape (...).

        It is summed over action dimensions. The observations are normalised.
        """
        result: Any = self.actor.apply(parameters, normalised, action, method="log_prob")
        return result

    def log_agreement(self, parameters: Any, normalised: jax.Array) -> jax.Array:
        """Log of the integral of the squared density of actions, shape (...).

        The parameters are others of this policy's shape. The observations are normalised.
        """
        result: Any = self.actor.apply(parameters, normalised, method="log_agreement")
        return result


def finite_agents(policies: Policy) -> np.ndarray:
    """Whether all parameters of each policy are finite; shape (policies,), bool."""
    flat = [np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(policies)]
    return np.isfinite(np.concatenate(flat, axis=1)).all(axis=1)


def new_policy(
    key: jax.Array,
    action_size: int,
    observation_mean: ArrayLike,
    observation_std: ArrayLike,
    hidden: tuple[int, ...] = (64, 64),
    initial_std: float = 1.0,
    mean_limit: float | None = 1.0,
    choices: int | None = None,
    kind: str | None = None,
) -> Policy:
    """A randomly initialised policy.

    See `GaussianActor` for the arguments, and `CategoricalActor` for `choices`, which are None
    where actions are real numbers. `kind` names a registered kind; None for the usual kind with
    actions of this sort.
    """
    actor = policy_kinds.actor_of(action_size, choices, hidden, initial_std, mean_limit, kind)
    mean, std = jnp.asarray(observation_mean), jnp.asarray(observation_std)
    return Policy(_initial(actor, key, mean), mean, std, mean_limit)


@partial(jax.jit, static_argnums=0, inline=True)
def _initial(actor: nn.Module, key: jax.Array, observation: jax.Array) -> Any:
    """One compiled program: operation by operation it takes seconds."""
    return actor.init(key, observation)
