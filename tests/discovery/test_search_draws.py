"""What a search trains on: every generation has labels of its own, and its validation and a bench
other trajectories."""

import pytest

from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution.batch import Worker
from mirrorpo.preferences import pools, views
from mirrorpo.simulation import tasks
from mirrorpo.study.settings import BenchSettings
from tests import point_task

GENERATIONS, DATA_SEED, ROWS = 2, 3, 8


@pytest.fixture(scope="module")
def ordered(tmp_path_factory):
    """The orders of a search of two generations, its pools by draw, and both agents' files."""
    orders, supplied = [], {}
    agents = point_task.write_agents(tmp_path_factory.mktemp("points"))
    work_off = Worker.work_off

    def recorded(worker, order):
        orders.append(order)
        supplied.update(worker.supply.pools)
        return work_off(worker, order)

    def settings(better, worse):
        return DiscoverySettings(
            task=point_task.NAME,
            variants=("noisy:0.3",),
            learn=("link",),
            generations=GENERATIONS,
            population=4,
            rows=ROWS,
            epochs=12,
            time_steps=8,
            episodes=4,
            validate_every=1,
            validation_seeds=4,
            validation_rows=ROWS,
            validation_time_steps=8,
            validation_episodes=4,
            data_seed=DATA_SEED,
            better=str(better),
            worse=str(worse),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORPO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(Worker, "work_off", recorded)
        out = tmp_path_factory.mktemp("search")
        try:
            search.discover(settings(*agents), out / "one")
        except ValueError:  # the other one of the two random agents is the better one
            agents = agents[::-1]
            search.discover(settings(*agents), out / "other")
        yield orders, supplied, agents


@pytest.fixture
def by_purpose(ordered):
    """The orders of generations, and those of validations."""
    trajectories = [order.draw for order in ordered[0]]
    fitness, validation = sorted(set(trajectories))
    return [[order for order in ordered[0] if order.draw == one] for one in (fitness, validation)]


def flips(orders, pool):
    return {
        order.label_seed: tuple(views.label(pool, order.variant, order.label_seed).flipped)
        for order in orders
    }


def test_each_generation_has_labels_of_its_own_and_a_validation_others(ordered, by_purpose):
    _, supplied, _ = ordered
    fitness, validation = by_purpose
    found = flips(fitness, supplied[fitness[0].draw])
    assert len(found) == len(set(found.values())) == GENERATIONS
    assert len({order.label_seed for order in validation}) == 1
    assert not {order.label_seed for order in validation} & set(found)
    # The start, then the mean and the best after each generation, meet the same episodes.
    assert len({seed for order in validation for seed in order.episodes_seeds}) == 1
    for name in ("seeds", "episodes_seeds"):
        of_each = [{x for order in orders for x in getattr(order, name)} for orders in by_purpose]
        assert not of_each[0] & of_each[1], name


def test_validation_s_trajectories_and_a_bench_s_are_none_of_the_generations(ordered, by_purpose):
    _, supplied, agents = ordered
    bench = BenchSettings(task=point_task.NAME, data_seed=DATA_SEED, data_draws=2)
    of_bench = {*bench.searched, *(bench.draw_of(seed) for seed in range(4))}
    assert len(of_bench) == 3
    task = tasks.load(point_task.NAME)
    known = {
        **supplied,
        **{number: pools.cached(task, ROWS, number, *agents) for number in of_bench},
    }
    assert len(known) == 2 + 3
    starts = [{tuple(at) for at in pool.trajectories.observations[:, 0]} for pool in known.values()]
    assert sum(map(len, starts)) == len(set().union(*starts)) == len(known) * ROWS
    seeds = [{order.label_seed for order in orders} for orders in by_purpose]
    assert not set().union(*seeds) & of_bench
