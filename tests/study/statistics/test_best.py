import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mirrorpo.study import statistics
from tests.study.statistics.frames import agents


def test_holm_is_the_step_down_correction():
    p = pd.Series({"a": 0.01, "b": 0.04, "c": 0.03, "untested": math.nan, "d": 0.005})
    found = statistics.holm(p)
    # Sorted: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04, which may not fall below its forerunner.
    expected = {"a": 0.03, "b": 0.06, "c": 0.06, "untested": math.nan, "d": 0.02}
    pd.testing.assert_series_equal(found, pd.Series(expected))


def test_holm_of_one_p_value_is_itself_and_none_exceeds_one():
    assert statistics.holm(pd.Series([0.04]))[0] == 0.04
    assert statistics.holm(pd.Series([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_each_row_is_compared_with_the_best_by_a_paired_test():
    rng = np.random.default_rng(0)
    start = rng.normal(0, 50, 10)
    scores = {
        name: start + level + rng.normal(size=10)
        for name, level in zip("abc", (0, 5, 4.8), strict=True)
    }
    frame = agents(scores)
    found = statistics.differences_to_best(frame).set_index("algorithm")
    best = max(scores, key=lambda name: scores[name].mean())
    other = "b" if best == "c" else "c"
    assert found.loc[best, "behind"] == 0.0
    assert math.isnan(found.loc[best, "p_value"])
    expected = stats.ttest_rel(scores[best], scores["a"]).pvalue
    assert found.loc["a", "p_value"] == pytest.approx(expected)
    assert found.loc["a", "corrected_p"] == pytest.approx(2 * expected)
    assert found["not_worse"].to_dict() == {"a": False, best: True, other: True}


def test_rows_with_a_diverged_agent_are_never_marked_and_not_counted():
    frame = agents({"a": [1.0, 2.0, 3.0], "lost": [9.0, np.nan, 9.0], "b": [0.0, 1.0, 2.1]})
    found = statistics.differences_to_best(frame).set_index("algorithm")
    assert not found.loc["lost", "not_worse"]
    assert found.loc["lost", ["behind", "p_value"]].isna().all()
    assert found.loc["b", "corrected_p"] == found.loc["b", "p_value"]


def test_where_all_diverged_nothing_is_marked():
    found = statistics.differences_to_best(agents({"a": [np.nan], "b": [np.nan]}))
    assert not found["not_worse"].any()


def test_a_row_that_leads_on_common_cells_is_not_called_worse():
    ahead = agents({"a": [0.0, 0.1, 0.2, 100.0, 100.0]})
    short = agents({"b": [10.0, 10.0, 10.0]})
    found = statistics.differences_to_best(pd.concat([ahead, short])).set_index("algorithm")
    assert found.loc["b", "behind"] < 0
    assert found.loc["b", "p_value"] < 0.05
    assert found.loc["b", "not_worse"]


def nested(rng, rows, draws, seeds, spread, sizes=None):
    """Level rows with an effect of (row, draw), and what all rows of a cell share."""
    sizes = np.ones(rows) if sizes is None else sizes
    shared = rng.normal(0, 3, (draws, 1)) + rng.normal(0, 3, (draws, seeds))
    effect = spread * rng.normal(size=(rows, draws, 1))
    own = (effect + rng.normal(size=(rows, draws, seeds))) * sizes[:, None, None]
    return agents({f"loss {row}": (shared + own[row]).ravel() for row in range(rows)}, draws=draws)


@pytest.mark.parametrize(("draws", "seeds"), [(1, 12), (2, 8), (6, 3)])
def test_the_marked_rows_contain_the_best_as_often_as_the_level_says(draws, seeds):
    rng = np.random.default_rng(draws)
    found = []
    # One draw cannot tell what is the draw's: there the rows are level on the draw.
    spread = 0.5 if draws > 1 else 0.0
    for _ in range(25):
        frame = nested(rng, 6, draws, seeds, spread, sizes=np.array([1, 1, 1, 1, 3, 9.0]))
        marked = statistics.differences_to_best(frame).set_index("algorithm")["not_worse"]
        found.append(bool(marked["loss 0"]))
    # All are level, so that each is a best one.
    assert sum(found) >= 22


def test_two_draws_still_find_a_row_that_is_far_behind():
    rng = np.random.default_rng(7)
    frame = nested(rng, 8, 2, 12, 0.3)
    frame.loc[frame["algorithm"] == "loss 3", "score"] -= 10.0
    found = statistics.differences_to_best(frame).set_index("algorithm")
    assert not found.loc["loss 3", "not_worse"]
    assert found["not_worse"].sum() >= 6
    assert found.loc["loss 3", "degrees_of_freedom"] > 3


def test_two_draws_leave_wider_errors_than_their_agents_alone():
    rng = np.random.default_rng(8)
    frame = nested(rng, 10, 2, 12, 2.0)
    pooled = statistics.differences_to_best(frame).set_index("algorithm")["standard_error"]
    alone = frame.assign(seed=frame["seed"] + 100 * frame["data_draw"], data_draw=0)
    over_agents = statistics.differences_to_best(alone).set_index("algorithm")["standard_error"]
    assert (pooled.dropna() > 1.5 * over_agents.dropna()).all()


def test_the_best_of_few_clear_rows_is_significant_as_bold_says():
    rng = np.random.default_rng(9)
    means = {"low": 0, "high": 5, "mid": 3}
    frame = agents({name: rng.normal(mean, 1, 10) for name, mean in means.items()})
    found = statistics.best_of(frame)
    marked = statistics.differences_to_best(frame).set_index("algorithm")
    assert (found.best, found.runner_up, found.rows) == ("high", "mid", 3)
    assert found.corrected_p == marked.loc["mid", "corrected_p"]
    assert found.significant
    assert not marked.loc["mid", "not_worse"]
    assert "is significantly better than mid" in found.sentence


def test_the_best_of_many_needs_more_than_the_best_of_two():
    rng = np.random.default_rng(10)
    frame = agents({"one": rng.normal(0.9, 1, 12), "two": rng.normal(0, 1, 12)})
    alone = statistics.best_of(frame)
    among = statistics.best_of(frame, compared=37)
    assert alone.significant
    assert not among.significant
    assert among.corrected_p == pytest.approx(min(1.0, 36 * alone.p_value))
    assert "the highest of 37 rows, is not" in among.sentence
    with pytest.raises(ValueError, match="compared \\(1\\) is less than the 2 rows"):
        statistics.best_of(frame, compared=1)


def test_the_best_of_37_level_rows_is_hardly_ever_called_better():
    rng = np.random.default_rng(11)
    found = [
        statistics.best_of(agents({f"{row}": rng.normal(size=8) for row in range(37)})).significant
        for _ in range(4)
    ]
    assert not any(found)


def test_one_agent_per_row_cannot_be_tested_and_one_row_has_no_runner_up():
    found = statistics.best_of(agents({"a": [1.0], "b": [2.0]}))
    assert not found.significant
    assert "cannot be tested against a" in found.sentence
    assert statistics.best_of(agents({"a": [1.0, 2.0]})) is None


def test_agents_of_one_cell_may_not_be_counted_twice():
    frame = pd.concat([agents({"a": [1.0]}), agents({"a": [2.0]})])
    with pytest.raises(ValueError, match="a has more than one agent of seed 0 on data draw 0"):
        statistics.differences_to_best(frame)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.3, 0.7])
def test_over_many_trials_two_draws_mark_the_best_as_often_as_the_level_says(spread):
    rng = np.random.default_rng(12)
    sizes = np.exp(rng.normal(0, 0.7, 15))
    left_out, called = 0, 0
    for _ in range(150):
        frame = nested(rng, 15, 2, 12, spread, sizes)
        left_out += (
            not statistics.differences_to_best(frame)
            .set_index("algorithm")
            .loc["loss 0", "not_worse"]
        )
        called += statistics.best_of(frame).significant
    assert left_out <= 12
    assert called <= 12


def test_a_difference_and_its_error_are_said_with_the_same_plain_digits():
    found = statistics.BestOf("one", "two", 41, 185.7, 362.2, 0.6, 1.0, False)
    assert "(difference 186 ± 362, corrected p = 1)" in found.sentence
