"""The workload by the JAX textbook: vmap over agents of a scan over minibatches, with optax.

On request in mixed precision: data, layers and their gradients in bfloat16, parameters, densities
and Adam in float32.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .workload import BETA, LEARNING_RATE, MAX_GRADIENT_NORM, SFT_WEIGHT, STD_FLOOR, Workload


def mean_log_prob(parameters, observations, actions):
    """Log-prob of each trajectory, summed over action dimensions, mean over time steps."""
    layers = jax.tree.map(lambda x: x.astype(observations.dtype), parameters)
    x = jnp.tanh(observations @ layers["kernel_0"] + layers["bias_0"])
    x = jnp.tanh(x @ layers["kernel_1"] + layers["bias_1"])
    mean = (x @ layers["kernel_2"] + layers["bias_2"]).astype(jnp.float32)
    std = STD_FLOOR * (1 + jnp.exp(parameters["raw_std"]))
    return jax.scipy.stats.norm.logpdf(actions.astype(jnp.float32), mean, std).sum(-1).mean(-1)


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
    bfloat16: bool = False,
) -> Callable[[], dict[str, np.ndarray]]:
    """A function that trains all agents, and returns their parameters with a leading axis."""
    number = jnp.bfloat16 if bfloat16 else jnp.float32
    data = {name: jnp.asarray(x, number) for name, x in arrays.items()}
    order = jnp.asarray(orders)
    parameters = jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * work.agents), dict(start))
    train_all = jax.jit(jax.vmap(train, in_axes=(0, None, 0)))

    def run() -> dict[str, np.ndarray]:
        return jax.tree.map(np.asarray, train_all(parameters, data, order))

    return run
