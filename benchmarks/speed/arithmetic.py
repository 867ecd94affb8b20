"""How many floating-point operations training takes, and how many the machine can do."""

import time

import numpy as np

from .workload import ACTIONS, MINIBATCH, OBSERVATIONS, Workload


def matrix_flops(work: Workload) -> int:
    """Multiplications and additions of one agent's gradient step, in its matrix products alone.

    For each time step, a layer of a inputs and b outputs takes ``2 a b`` forward, the same again
    for the gradient of its kernel, and the same for that of its input, which the first layer does
    not need. Tanh, the density, the loss and Adam are not counted: they take time, and lower the
    share of the peak that is reached.
    """
    hidden = work.hidden
    first, rest = OBSERVATIONS * hidden, hidden * hidden + hidden * ACTIONS
    each_time_step = 2 * (2 * first + 3 * rest)
    return each_time_step * 2 * MINIBATCH * work.time_steps


def matrix_peak(size: int, seconds: float) -> float:
    """Float32 operations a second of the fastest square matrix product seen here.

    The best single product of JAX's and NumPy's, tried for some seconds each, with all cores.
    """
    import jax
    import jax.numpy as jnp

    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    product = jax.jit(jnp.matmul)
    x, y = jnp.asarray(a), jnp.asarray(b)
    tried = (lambda: product(x, y).block_until_ready(), lambda: a @ b)
    best = 0.0
    for multiply in tried:
        multiply()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            multiply()
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best
