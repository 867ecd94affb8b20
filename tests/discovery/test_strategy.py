"""The strategies climb, rank diverged agents last, and mirror their pairs."""

import jax
import numpy as np
import pytest

from mirrorpo.discovery import strategy
from mirrorpo.discovery.settings import DiscoverySettings


def make(name, population=64, **changes):
    settings = DiscoverySettings(strategy=name, population=population, **changes)
    return strategy.make(settings, 5)


def climb(made, fitness, generations=80):
    state = made.start(np.zeros(5, "f4"))
    for generation in range(generations):
        population, state = made.ask(jax.random.key(generation), state)
        state = made.tell(state, population, fitness(population))
    return made.mean(state)


@pytest.mark.parametrize("name", ["open-es", "snes", "cma-es"])
def test_a_search_climbs_a_hill_from_its_start(name):
    top = np.array([0.5, -0.5, 0.3, 0.0, 0.2])
    found = climb(make(name, sigma=0.1), lambda x: -np.sum((x - top) ** 2, axis=1))
    assert np.linalg.norm(found - top) < 0.15 < np.linalg.norm(top)


@pytest.mark.parametrize("name", ["open-es", "snes", "cma-es"])
def test_a_diverged_agent_ranks_last_and_does_not_stop_the_search(name):
    def fitness(x):
        value = x[:, 0].copy()
        # The best by far, were they finite.
        value[x[:, 1] > 0] = np.nan
        value[(x[:, 1] > 0) & (x[:, 2] > 0)] = np.inf
        return value

    found = climb(make(name), fitness, 30)
    assert np.isfinite(found).all()
    assert found[0] > 0.05
    assert found[1] < 0


def test_only_the_order_of_fitness_counts():
    made = make("open-es")
    population, state = made.ask(jax.random.key(1), made.start(np.zeros(5, "f4")))
    value = population[:, 0]
    same = [made.mean(made.tell(state, population, f)) for f in (value, np.exp(9 * value) - 4)]
    np.testing.assert_array_equal(*same)


def test_the_first_and_second_half_of_open_es_mirror_each_other():
    made = make("open-es")
    assert made.pairs
    centre = np.arange(5, dtype="f4")
    population, _ = made.ask(jax.random.key(0), made.start(centre))
    both = population[:32] + population[32:]
    np.testing.assert_allclose(both, np.tile(2 * centre, (32, 1)), atol=1e-5)


def test_sigma_starts_as_set_and_falls_by_its_factor():
    made = make("open-es", sigma=0.2, sigma_decay=0.5)
    state = made.start(np.zeros(5, "f4"))
    seen = []
    for generation in range(4):
        population, state = made.ask(jax.random.key(generation), state)
        seen.append(population.std() if generation == 0 else made.spread(state))
        state = made.tell(state, population, population[:, 0])
    assert seen[0] == pytest.approx(0.2, rel=0.15)
    assert made.spread(state) < 0.2 * 0.5**2
