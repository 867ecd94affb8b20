"""Evolution strategies over a vector, from evosax, behind one interface."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mirrorpo.discovery.settings import DiscoverySettings


@dataclass(frozen=True)
class Strategy:
    """A strategy with its settings; the state is a pytree that the caller keeps.

    Attributes:
        population: vectors that `ask` gives.
        pairs: whether the second half of them mirrors the first about the mean.
    """

    population: int
    pairs: bool
    _algorithm: Any
    _parameters: Any

    def start(self, mean: np.ndarray) -> Any:
        """The state before the first generation, centred on `mean`, shape (size,)."""
        return self._algorithm.init(jax.random.key(0), jnp.asarray(mean), self._parameters)

    def ask(self, key: jax.Array, state: Any) -> tuple[np.ndarray, Any]:
        """The next population, shape (population, size), and the state."""
        population, state = self._algorithm.ask(key, state, self._parameters)
        return np.asarray(population), state

    def tell(self, state: Any, population: np.ndarray, fitness: np.ndarray) -> Any:
        """The state after a generation.

        Args:
            state: that `ask` gave.
            population: that `ask` gave.
            fitness: shape (population,), to be maximised; not finite for a diverged agent,
                which then ranks last. Only the order counts.
        """
        # evosax minimises, and ranks NaN last.
        cost = jnp.asarray(np.where(np.isfinite(fitness), -fitness, np.nan))
        return self._algorithm.tell(
            jax.random.key(0), jnp.asarray(population), cost, state, self._parameters
        )[0]

    def mean(self, state: Any) -> np.ndarray:
        """The centre of the search, shape (size,)."""
        return np.asarray(state.mean)

    def spread(self, state: Any) -> float:
        """The standard deviation of the next perturbations, averaged over parameters."""
        return float(jnp.mean(state.std))


def make(settings: DiscoverySettings, size: int) -> Strategy:
    """The strategy of a search over `size` parameters.

    open-es: OpenAI's evolution strategy with antithetic pairs, centered ranks and Adam (paper,
    Table 8). snes: separable natural evolution strategy, which adapts a step size to each
    parameter from the same ranks; its perturbations are not paired. cma-es: covariance matrix
    adaptation, which learns the correlations of few numbers too.
    """
    from evosax.algorithms import CMA_ES, SNES, Open_ES
    from evosax.core.fitness_shaping import centered_rank_fitness_shaping_fn

    like = jnp.zeros(size)
    if settings.strategy == "snes":
        algorithm: Any = SNES(settings.population, like)
        parameters = algorithm.default_params.replace(std_init=settings.sigma)
    elif settings.strategy == "cma-es":
        algorithm = CMA_ES(settings.population, like)
        parameters = algorithm.default_params.replace(std_init=settings.sigma)
    else:
        algorithm = Open_ES(
            settings.population,
            like,
            optimizer=optax.adam(settings.step_size),
            std_schedule=optax.exponential_decay(settings.sigma, 1, settings.sigma_decay),
            fitness_shaping_fn=centered_rank_fitness_shaping_fn,
        )
        parameters = algorithm.default_params
    return Strategy(settings.population, settings.strategy == "open-es", algorithm, parameters)
