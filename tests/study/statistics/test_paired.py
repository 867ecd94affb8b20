import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mirrorpo.study import statistics
from mirrorpo.study.statistics import paired
from tests.study.statistics.frames import agents


def rows(scores, draws=1):
    return agents({"row": scores}, draws)


def test_the_t_test_is_scipys_paired_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal([[0.8], [0.0]], 1.0, (2, 12))
    found = statistics.paired_difference(rows(first), rows(second))
    expected = stats.ttest_rel(first, second)
    assert found.mean == pytest.approx(np.mean(first - second))
    assert found.standard_error == pytest.approx(stats.sem(first - second))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.cells, found.draws, found.degrees_of_freedom) == (12, 1, 11)


def test_only_common_cells_count_whatever_their_order():
    first = pd.DataFrame({"data_draw": [0, 1, 1], "seed": [0, 0, 1], "score": [1.0, 2.0, 3.0]})
    second = pd.DataFrame({"data_draw": [1, 0, 2], "seed": [1, 0, 0], "score": [1.0, 0.0, 9.0]})
    found = statistics.paired_difference(first, second)
    assert (found.cells, found.draws) == (2, 2)
    assert found.mean == pytest.approx((1.0 + 2.0) / 2)


def test_the_columns_of_a_bench_log_are_read_as_one_draw():
    log = pd.DataFrame({"seed": [0, 1], "return_mean": [1.0, 3.0], "diverged": [False, False]})
    other = log.assign(return_mean=[0.0, 0.0])
    found = statistics.paired_difference(log, other)
    assert (found.cells, found.draws, found.mean) == (2, 1, 2.0)


def test_a_cell_with_a_diverged_agent_is_no_pair():
    found = statistics.paired_difference(rows([1.0, np.nan, 3.0]), rows([0.0, 0.0, 0.0]))
    assert found.cells == 2


def test_what_cells_have_in_common_cancels():
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 100, 10)
    found = statistics.paired_difference(
        rows(shared + 1 + 0.1 * rng.normal(size=10)), rows(shared + 0.1 * rng.normal(size=10))
    )
    assert found.p_value < 1e-4


def test_without_a_spread_a_difference_is_sure_and_no_difference_is_none():
    assert statistics.paired_difference(rows([1.0, 2.0]), rows([0.0, 1.0])).p_value == 0.0
    assert statistics.paired_difference(rows([1.0, 2.0]), rows([1.0, 2.0])).p_value == 1.0


@pytest.mark.parametrize("method", ["t", "sign-flip", "iqm"])
def test_fewer_than_two_common_cells_cannot_be_tested(method):
    one = statistics.paired_difference(rows([1.0]), rows([0.0]), method)
    assert one.mean == 1.0
    assert math.isnan(one.standard_error)
    assert math.isnan(one.p_value)
    none = statistics.paired_difference(
        rows([1.0]).assign(seed=1), rows([0.0]).assign(seed=2), method
    )
    assert (none.cells, none.draws) == (0, 0)
    assert math.isnan(none.mean)


def test_the_sign_flip_test_counts_all_flips_of_few_cells():
    # All four differences are positive: of 16 flips two are as extreme.
    found = statistics.paired_difference(rows([1.0, 2.0, 3.0, 4.0]), rows([0.0] * 4), "sign-flip")
    assert found.p_value == pytest.approx(2 / 16)


def test_the_sign_flip_test_agrees_with_the_t_test_on_normal_differences():
    rng = np.random.default_rng(2)
    first, second = rows(rng.normal(0.5, 1, 25)), rows(rng.normal(size=25))
    by_flips = statistics.paired_difference(first, second, "sign-flip").p_value
    assert by_flips == pytest.approx(statistics.paired_difference(first, second).p_value, abs=0.03)


def test_the_interquartile_test_is_not_moved_by_one_lucky_agent():
    steady = rows([100.0] * 25)
    lucky = rows([89.0, 90.0, 91.0] * 8 + [10_000.0])
    assert statistics.paired_difference(steady, lucky).p_value > 0.1
    found = statistics.paired_difference(steady, lucky, "iqm")
    assert found.mean == pytest.approx(10.0, abs=1.0)
    assert found.p_value < 0.01


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_chance_is_called_a_difference_as_seldom_as_the_test_says(spread):
    # Of losses that a draw of the data may favour, but that are level over draws.
    rng = np.random.default_rng(3)
    draws = np.repeat(np.arange(5), 4)
    found = []
    for _ in range(400):
        difference = spread * rng.normal(size=5)[draws] + rng.normal(size=20)
        found.append(paired.of_arrays(difference, np.zeros(20), draws).p_value < 0.05)
    assert np.mean(found) <= 0.08


def test_agents_of_one_cell_may_not_be_counted_twice():
    twice = pd.concat([rows([1.0, 2.0]), rows([3.0])])
    with pytest.raises(ValueError, match="first row has more than one agent of seed 0 on data"):
        statistics.paired_difference(twice, rows([1.0]))


def test_unknown_columns_and_methods_are_named():
    with pytest.raises(ValueError, match="no column return_mean"):
        statistics.paired_difference(pd.DataFrame({"seed": [0]}), rows([1.0]))
    with pytest.raises(ValueError, match="no column seed"):
        statistics.paired_difference(pd.DataFrame({"score": [0.0]}), rows([1.0]))
    with pytest.raises(ValueError, match="Unknown method 'z': t, sign-flip or iqm"):
        statistics.paired_difference(rows([1.0, 2.0]), rows([1.0, 2.0]), "z")
