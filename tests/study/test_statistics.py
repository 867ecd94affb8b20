import math

import numpy as np
import pytest

from mirrorpo.study import statistics


def test_mean_and_error_use_the_sample_standard_deviation():
    mean, error = statistics.mean_and_error([1.0, 2.0, 3.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3) / 2)


def test_one_agent_has_a_mean_and_no_error():
    mean, error = statistics.mean_and_error([5.0])
    assert mean == 5.0
    assert math.isnan(error)


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


def test_normalised_score_is_0_at_the_worse_agent_and_1_at_the_better():
    found = statistics.normalised_score([900.0, 1500.0, 2100.0, 2400.0], worse=900, better=2100)
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 1.25])


@pytest.mark.parametrize("better", [900.0, 800.0, math.nan])
def test_normalised_score_needs_agents_that_differ(better):
    with pytest.raises(ValueError, match="better must exceed worse"):
        statistics.normalised_score(1000.0, worse=900.0, better=better)


def test_rank_correlation_sees_order_only():
    ours = {"orpo": 2000.0, "cpo": 1900.0, "dpo": 1000.0, "sft": 10.0}
    theirs = {"dpo": 3.0, "sft": 1.0, "orpo": 1e6, "cpo": 4.0}
    assert statistics.rank_correlation(ours, theirs) == pytest.approx(1.0)
    backwards = {name: -score for name, score in theirs.items()}
    assert statistics.rank_correlation(ours, backwards) == pytest.approx(-1.0)


def test_rank_correlation_shares_the_rank_of_ties():
    first = {"a": 1.0, "b": 2.0, "c": 2.0, "d": 4.0}
    second = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    ranks = np.corrcoef([1, 2.5, 2.5, 4], [1, 2, 3, 4])[0, 1]
    assert statistics.rank_correlation(first, second) == pytest.approx(ranks)


def test_rank_correlation_leaves_out_names_without_a_score_on_both_sides():
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "only here": 0.0, "diverged": math.nan}
    second = {"a": 1.0, "b": 2.0, "c": 3.0, "only there": 9.0, "diverged": -5.0}
    assert statistics.rank_correlation(first, second) == pytest.approx(1.0)


def test_rank_correlation_of_a_constant_is_undefined():
    assert math.isnan(statistics.rank_correlation({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}))


def test_rank_correlation_needs_two_common_names():
    with pytest.raises(ValueError, match=r"at least two names .* got a"):
        statistics.rank_correlation({"a": 1.0, "b": math.nan}, {"a": 1.0, "b": 2.0})


def test_best_are_the_highest_and_those_that_overlap_it():
    mean = [2049.0, 2030.0, 2010.0, 1000.0]
    error = [13.0, 10.0, 10.0, 900.0]
    assert statistics.best_by_overlap(mean, error).tolist() == [True, True, False, False]


def test_overlap_is_with_the_highest_and_not_passed_on():
    mask = statistics.best_by_overlap([10.0, 8.5, 7.0], [1.0, 1.0, 1.0])
    assert mask.tolist() == [True, True, False]


def test_best_ignores_what_has_no_mean():
    mask = statistics.best_by_overlap([math.nan, 5.0, 1.0], [math.nan, 1.0, 1.0])
    assert mask.tolist() == [False, True, False]
    assert not statistics.best_by_overlap([math.nan], [math.nan]).any()


def test_a_mean_without_an_error_is_a_point():
    mask = statistics.best_by_overlap([5.0, 4.5, 3.9], [math.nan, 0.6, 0.6])
    assert mask.tolist() == [True, True, False]


def test_best_does_not_depend_on_the_order_of_equal_means():
    forward = statistics.best_by_overlap([5.0, 5.0, 3.0], [0.1, 2.0, 0.5])
    backward = statistics.best_by_overlap([5.0, 5.0, 3.0], [2.0, 0.1, 0.5])
    assert forward.tolist() == backward.tolist() == [True, True, True]


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.mean_and_error([]),
        lambda: statistics.interquartile_mean([]),
        lambda: statistics.interquartile_interval([]),
        lambda: statistics.summarise([], []),
        lambda: statistics.best_by_overlap([], []),
        lambda: statistics.best_by_interval([], [], []),
    ],
)
def test_empty_input_is_refused(call):
    with pytest.raises(ValueError, match="is empty: at least one"):
        call()


def test_input_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match=r"one dimension, not shape \(2, 2\)"):
        statistics.mean_and_error(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="one entry an agent"):
        statistics.summarise([1.0, 2.0], [False])
    with pytest.raises(ValueError, match="differ in length: 2 and 1"):
        statistics.best_by_overlap([1.0, 2.0], [0.1])
    with pytest.raises(ValueError, match="must not be negative"):
        statistics.best_by_overlap([1.0], [-0.1])
    with pytest.raises(ValueError, match="low and high differ in length: 2, 1 and 2"):
        statistics.best_by_interval([1.0, 2.0], [1.0], [1.0, 2.0])
