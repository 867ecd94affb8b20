import math

import numpy as np
import pytest
from scipy import stats

from mirrorpo.study import statistics
from mirrorpo.study.statistics import ranks
from tests.study.statistics.frames import agents, table


def test_both_correlations_are_scipys_with_ties_and_without():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 9))
    second[3] = np.round(second[3])
    first[4, :4] = 0.0
    for row in range(5):
        rho = stats.spearmanr(first[row], second[row]).statistic
        tau = stats.kendalltau(first[row], second[row]).statistic
        assert ranks.spearman(first, second)[row] == pytest.approx(rho)
        assert ranks.kendall(first, second)[row] == pytest.approx(tau)


def test_tables_and_agents_may_be_compared_and_only_common_rows_count():
    ours = agents({"a": [1, 1.1], "b": [2, 2.1], "c": [3, 3.1], "lost": [4, np.nan]})
    theirs = table({"b": 20.0, "a": 10.0, "c": 30.0, "lost": 0.0, "more": 1.0})
    found = statistics.rank_agreement(ours, theirs)
    assert found.algorithms == ("a", "b", "c")
    assert found.spearman == found.kendall == pytest.approx(1.0)


def test_two_common_rows_have_no_rank_correlation():
    found = statistics.rank_agreement(table({"a": 1, "b": 2}), table({"a": 1, "b": 2, "c": 3}))
    assert math.isnan(found.spearman)
    assert np.isnan(found.kendall_interval).all()
    assert found.sentence == "2 common algorithms, too few for a rank correlation"


def test_an_equal_side_has_no_rank_correlation():
    found = statistics.rank_agreement(
        table({"a": 1, "b": 1, "c": 1}, error=0.0), table({"a": 1, "b": 2, "c": 3})
    )
    assert math.isnan(found.spearman)
    assert "all equal on one side" in found.sentence


def test_the_interval_holds_the_chance_of_objectives_even_without_noise():
    names = [f"loss {place}" for place in range(12)]
    rng = np.random.default_rng(1)
    truth = np.arange(12.0)
    other = truth + rng.normal(0, 4, 12)
    sides = [table(dict(zip(names, side, strict=True)), error=0.0) for side in (truth, other)]
    low, high = statistics.rank_agreement(*sides).spearman_interval
    assert high - low > 0.2


def test_noisy_agents_widen_the_interval():
    rng = np.random.default_rng(2)
    names = [f"loss {place}" for place in range(12)]

    def side(noise):
        return agents(
            {name: place + noise * rng.normal(size=6) for place, name in enumerate(names)}
        )

    quiet = statistics.rank_agreement(side(0.01), side(0.01)).spearman_interval
    loud = statistics.rank_agreement(side(5.0), side(5.0)).spearman_interval
    assert np.ptp(loud) > np.ptp(quiet) + 0.1


def test_the_interval_depends_on_the_seed_alone_and_not_on_the_order_of_rows():
    rng = np.random.default_rng(4)
    names = "abcdefghijkl"
    ours = agents({name: place + 3 * rng.normal(size=5) for place, name in enumerate(names)})
    theirs = table({name: place for place, name in enumerate(names)})
    first = statistics.rank_agreement(ours, theirs, seed=1)
    shuffled = ours.groupby("algorithm", sort=False).sample(frac=1.0, random_state=0)
    assert statistics.rank_agreement(shuffled, theirs, seed=1) == first
    assert statistics.rank_agreement(ours, theirs, seed=2) != first


@pytest.mark.parametrize(("correlation", "noise"), [(0.6, 0.01), (0.9, 0.35)])
def test_the_interval_contains_the_truth_of_all_objectives_about_as_often_as_it_says(
    correlation, noise
):
    # Objectives are drawn from a normal population; its Spearman correlation is known.
    truth = 6 / np.pi * np.arcsin(correlation / 2)
    rng = np.random.default_rng(5)
    names = [f"loss {place}" for place in range(15)]
    found = []
    for _ in range(40):
        pair = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 15).T
        pair += noise * rng.normal(size=pair.shape)
        sides = [table(dict(zip(names, side, strict=True)), error=noise) for side in pair]
        low, high = statistics.rank_agreement(*sides, resamples=300).spearman_interval
        found.append(low <= truth <= high)
    assert np.mean(found) >= 0.875
