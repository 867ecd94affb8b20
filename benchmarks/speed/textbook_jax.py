"""The workload by the JAX textbook: vmap over agents of a scan over minibatches, with optax."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .workload import BETA, LEARNING_RATE, MAX_GRADIENT_NORM, SFT_WEIGHT, STD_FLOOR, Workload


def mean_log_prob(parameters, observations, actions):
    """Log-prob of each trajectory, summed over action dimensions, mean over time steps."""
    x = jnp.tanh(observations @ parameters["kernel_0"] + parameters["bias_0"])
    x = jnp.tanh(x @ parameters["kernel_1"] + parameters["bias_1"])
    mean = x @ parameters["kernel_2"] + parameters["bias_2"]
    std = STD_FLOOR * (1 + jnp.exp(parameters["raw_std"]))
    return jax.scipy.stats.norm.logpdf(actions, mean, std).sum(-1).mean(-1)


def loss(parameters, batch):
    chosen, rejected = mean_log_prob(parameters, batch["observations"], batch["actions"])
    return -(jax.nn.log_sigmoid(BETA * (chosen - rejected)) + SFT_WEIGHT * chosen).mean()


def train(parameters, data, order):
    optimiser = optax.chain(optax.clip_by_global_norm(MAX_GRADIENT_NORM), optax.adam(LEARNING_RATE))

    def step(carry, rows):
        parameters, state = carry
        batch = jax.tree.map(lambda x: x[:, rows], data)
        updates, state = optimiser.update(jax.grad(loss)(parameters, batch), state)
        return (optax.apply_updates(parameters, updates), state), None

    (parameters, _), _ = jax.lax.scan(step, (parameters, optimiser.init(parameters)), order)
    return parameters


def trainer(
    work: Workload,
    arrays: Mapping[str, np.ndarray],
    start: Mapping[str, np.ndarray],
    orders: np.ndarray,
) -> Callable[[], dict[str, np.ndarray]]:
    """A function that trains all agents, and returns their parameters with a leading axis."""
    data, order = jax.tree.map(jnp.asarray, (dict(arrays), orders))
    parameters = jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * work.agents), dict(start))
    train_all = jax.jit(jax.vmap(train, in_axes=(0, None, 0)))

    def run() -> dict[str, np.ndarray]:
        return jax.tree.map(np.asarray, train_all(parameters, data, order))

    return run
