import math

import numpy as np
import pytest

from mirrorpo.study import statistics


def test_interquartile_mean_ignores_both_tails():
    scores = np.array([3.0, -1e9, 4.0, 5.0, 6.0, 1e9, 1.0, 9.0])
    assert statistics.interquartile_mean(scores) == pytest.approx((3 + 4 + 5 + 6) / 4)


def test_interquartile_mean_of_25_agents_keeps_13():
    scores = np.arange(25.0) ** 2
    assert statistics.interquartile_mean(scores) == pytest.approx(np.mean(scores[6:19]))


def test_interquartile_mean_of_few_agents_is_their_mean():
    assert statistics.interquartile_mean([0.0, 1.0, 5.0]) == pytest.approx(2.0)


def test_interval_holds_the_interquartile_mean_and_depends_on_the_seed_alone():
    scores = np.random.default_rng(1).normal(2000.0, 100.0, size=25)
    low, high = statistics.interquartile_interval(scores, seed=3)
    assert low < statistics.interquartile_mean(scores) < high
    assert (low, high) == statistics.interquartile_interval(scores, seed=3)
    assert (low, high) != statistics.interquartile_interval(scores, seed=4)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    draws = np.random.default_rng(2).normal(size=(100, 25))
    intervals = [statistics.interquartile_interval(scores) for scores in draws]
    covered = np.mean([low <= 0.0 <= high for low, high in intervals])
    # A percentile interval of 25 agents is a little narrow.
    assert 0.85 <= covered <= 1.0


def test_one_agent_has_no_interval():
    assert np.isnan(statistics.interquartile_interval([1.0])).all()


def test_summary_states_every_number():
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    found = statistics.summarise(scores, np.zeros(4, dtype=bool))
    assert (found.agents, found.diverged) == (4, 0)
    assert (found.mean, found.standard_error) == statistics.mean_and_error(scores)
    assert found.iqm == 2.5
    assert found.iqm_low <= 2.5 <= found.iqm_high


@pytest.mark.parametrize("lost", [math.nan, math.inf, 1.0])
def test_a_diverged_agent_leaves_no_number(lost):
    found = statistics.summarise([1.0, lost, 3.0], [False, True, False])
    assert (found.agents, found.diverged) == (3, 1)
    numbers = [found.mean, found.standard_error, found.iqm, found.iqm_low, found.iqm_high]
    assert np.isnan(numbers).all()


@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_a_score_that_is_not_finite_counts_as_diverged(lost):
    assert statistics.summarise([1.0, lost], [False, False]).diverged == 1


def test_several_draws_count_and_name_what_the_error_contains():
    scores, draws = [1.0, 3.0, 11.0, 13.0], [7, 7, 8, 8]
    one = statistics.summarise(scores, [False] * 4)
    two = statistics.summarise(scores, [False] * 4, draws=draws)
    assert (one.draws, one.error_over) == (1, "agents")
    assert (two.draws, two.error_over) == (2, "agents and draws")
    assert two.standard_error == pytest.approx(5.0)
    assert two.iqm_low < two.iqm < two.iqm_high


def test_the_interval_of_several_draws_holds_the_spread_between_them():
    rng = np.random.default_rng(3)
    draws = np.repeat(np.arange(6), 5)
    scores = 100.0 * rng.normal(size=6)[draws] + rng.normal(size=30)
    nested = statistics.interquartile_interval(scores, draws=draws)
    plain = statistics.interquartile_interval(scores)
    assert np.ptp(nested) > 1.3 * np.ptp(plain)


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.interquartile_mean([]),
        lambda: statistics.interquartile_interval([]),
        lambda: statistics.summarise([], []),
    ],
)
def test_empty_input_is_refused(call):
    with pytest.raises(ValueError, match="is empty: at least one"):
        call()


def test_input_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match="one entry per agent"):
        statistics.summarise([1.0, 2.0], [False])
    with pytest.raises(ValueError, match="draw of each value: got 2 values and draws of"):
        statistics.summarise([1.0, 2.0], [False, False], draws=[0])
