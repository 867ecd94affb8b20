"""The search's strategy by evosax itself: what a generation takes where fitness costs nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from evosax.algorithms import Open_ES
from evosax.core.fitness_shaping import centered_rank_fitness_shaping_fn

from .timing import timed

GENERATIONS = 20


def seconds_of_a_generation(population: int, numbers: int, least_seconds: float) -> float:
    """Seconds in which evosax asks for a population and is told its fitness, a sum of squares.

    Args:
        population: vectors of a generation.
        numbers: the size of a vector.
        least_seconds: see `timed`.
    """
    algorithm = Open_ES(
        population,
        jnp.zeros(numbers),
        optimizer=optax.adam(0.03),
        fitness_shaping_fn=centered_rank_fitness_shaping_fn,
    )
    parameters = algorithm.default_params
    start = algorithm.init(jax.random.key(0), jnp.zeros(numbers), parameters)

    def generations() -> Any:
        state = start
        for key in jax.random.split(jax.random.key(1), GENERATIONS):
            vectors, state = algorithm.ask(key, state, parameters)
            cost = jnp.sum(vectors**2, axis=1)
            state, _ = algorithm.tell(key, vectors, cost, state, parameters)
        return jax.block_until_ready(state.mean)

    return timed(generations, least_seconds).fastest / GENERATIONS
