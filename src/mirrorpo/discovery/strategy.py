"""Strategies over a vector, from evosax, behind one interface; light to import.

Another one is a function that `register` names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import jax
    import numpy as np


class StrategySettings(Protocol):
    """What a strategy is made from; see `DiscoverySettings`."""

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        ...

    @property
    def population(self) -> int:
        """Vectors per generation."""
        ...

    @property
    def sigma(self) -> float:
        """Standard deviation of the perturbations at the start."""
        ...

    @property
    def sigma_decay(self) -> float:
        """Factor on sigma for each generation."""
        ...

    @property
    def step_size(self) -> float:
        """Adam's learning rate."""
        ...


class Strategy(Protocol):
    """A strategy with its settings; the state is a pytree of arrays that the caller keeps.

    Attributes:
        population: vectors that `ask` gives.
        pairs: whether the second half of them mirrors the first about the mean.
    """

    @property
    def population(self) -> int:
        """Vectors that `ask` gives."""
        ...

    @property
    def pairs(self) -> bool:
        """Whether the second half of them mirrors the first about the mean."""
        ...

    def start(self, mean: np.ndarray) -> Any:
        """The state before the first generation, centred on `mean`, shape (size,)."""
        ...

    def ask(self, key: jax.Array, state: Any) -> tuple[np.ndarray, Any]:
        """The next population, shape (population, size), and the state."""
        ...

    def tell(self, state: Any, population: np.ndarray, fitness: np.ndarray) -> Any:
        """The state after a generation.

        Args:
            state: the state that `ask` gave.
            population: the population that `ask` gave.
            fitness: shape (population,), to be maximised; not finite for a diverged agent,
                which then ranks last. Only the order counts.
        """
        ...

    def mean(self, state: Any) -> np.ndarray:
        """The centre of the search, shape (size,)."""
        ...

    def spread(self, state: Any) -> float:
        """The standard deviation of the next perturbations, averaged over parameters."""
        ...


StrategyMaker = Callable[[StrategySettings, int], Strategy]
_MAKERS: dict[str, StrategyMaker] = {}


def register(name: str) -> Callable[[StrategyMaker], StrategyMaker]:
    """Name a strategy; decorates what makes it of the settings and the number of parameters.

    Raises:
        ValueError: the name is taken.
    """
    if name in _MAKERS:
        raise ValueError(f"A strategy named {name!r} is registered already.")

    def add(maker: StrategyMaker) -> StrategyMaker:
        _MAKERS[name] = maker
        return maker

    return add


def available() -> tuple[str, ...]:
    """The names of the strategies."""
    return tuple(_MAKERS)


def make(settings: StrategySettings, size: int) -> Strategy:
    """The strategy of a search over `size` parameters."""
    return _MAKERS[settings.strategy](settings, size)


@dataclass(frozen=True)
class _Evosax:
    """A strategy of evosax; see `Strategy`."""

    population: int
    pairs: bool
    _algorithm: Any
    _parameters: Any

    def start(self, mean: np.ndarray) -> Any:
        import jax

        return self._algorithm.init(jax.random.key(0), jax.numpy.asarray(mean), self._parameters)

    def ask(self, key: jax.Array, state: Any) -> tuple[np.ndarray, Any]:
        import numpy as np

        population, state = self._algorithm.ask(key, state, self._parameters)
        return np.asarray(population), state

    def tell(self, state: Any, population: np.ndarray, fitness: np.ndarray) -> Any:
        import jax
        import numpy as np

        # evosax minimises, and ranks NaN last.
        cost = jax.numpy.asarray(np.where(np.isfinite(fitness), -fitness, np.nan))
        given = jax.numpy.asarray(population)
        return self._algorithm.tell(jax.random.key(0), given, cost, state, self._parameters)[0]

    def mean(self, state: Any) -> np.ndarray:
        import numpy as np

        return np.asarray(state.mean)

    def spread(self, state: Any) -> float:
        return float(state.std.mean())


@register("open-es")
def _open_es(settings: StrategySettings, size: int) -> Strategy:
    """OpenAI's evolution strategy (paper, Table 8).

    It has antithetic pairs, centered ranks and Adam.
    """
    import jax.numpy as jnp
    import optax
    from evosax.algorithms import Open_ES
    from evosax.core.fitness_shaping import centered_rank_fitness_shaping_fn

    algorithm = Open_ES(
        settings.population,
        jnp.zeros(size),
        optimizer=optax.adam(settings.step_size),
        std_schedule=optax.exponential_decay(settings.sigma, 1, settings.sigma_decay),
        fitness_shaping_fn=centered_rank_fitness_shaping_fn,
    )
    return _Evosax(settings.population, True, algorithm, algorithm.default_params)


@register("snes")
def _snes(settings: StrategySettings, size: int) -> Strategy:
    """Separable natural evolution strategy.

    It adapts a step size to each parameter from the same ranks. Its perturbations are not paired.
    """
    from evosax.algorithms import SNES

    return _unpaired(SNES, settings, size)


@register("cma-es")
def _cma_es(settings: StrategySettings, size: int) -> Strategy:
    """Covariance matrix adaptation, which learns the correlations of few numbers too."""
    from evosax.algorithms import CMA_ES

    return _unpaired(CMA_ES, settings, size)


def _unpaired(kind: Any, settings: StrategySettings, size: int) -> Strategy:
    import jax.numpy as jnp

    algorithm = kind(settings.population, jnp.zeros(size))
    parameters = algorithm.default_params.replace(std_init=settings.sigma)
    return _Evosax(settings.population, False, algorithm, parameters)
