import math

import numpy as np
import pandas as pd
import pytest

from mirrorpo.study import statistics
from tests.study.statistics.frames import agents, table


def test_only_pairs_count_that_both_sides_tell_apart():
    # Two standard errors of a difference are 2 sqrt(2) = 2.83.
    ours = table({"a": 0.0, "b": 10.0, "c": 12.0, "d": 30.0}, error=1.0)
    theirs = table({"a": 0.0, "b": 5.0, "c": -5.0, "d": 6.0}, error=1.0)
    found = statistics.concordance(ours, theirs)
    # Ours cannot tell b from c, theirs cannot tell b from d.
    assert (found.pairs, found.first, found.second, found.both) == (6, 5, 5, 4)
    assert found.alike == 3
    assert found.opposed == (("c", "a"),)
    assert found.share == 0.75
    assert "3 of 4 pairs" in found.sentence


def test_a_table_agrees_with_itself_and_opposes_its_negative():
    ours = table({"a": 0.0, "b": 10.0, "c": 20.0})
    against = ours.assign(mean=-ours["mean"])
    assert statistics.concordance(ours, ours).share == 1.0
    assert statistics.concordance(ours, against).share == 0.0


def test_rows_without_an_error_are_never_told_apart():
    ours = agents({"a": [0.0], "b": [100.0], "c": [200.0]})
    found = statistics.concordance(ours, table({"a": 0.0, "b": 10.0, "c": 20.0}))
    assert (found.first, found.second, found.both) == (0, 3, 0)
    assert math.isnan(found.share)
    assert "none of 3 pairs" in found.sentence


def test_agents_are_summarised_with_their_standard_errors():
    rng = np.random.default_rng(0)
    ours = agents(
        {name: mean + rng.normal(size=25) for name, mean in zip("ab", (0, 3), strict=True)}
    )
    means = statistics.row_means(ours)
    theirs = table({"a": 0.0, "b": 10.0})
    assert statistics.concordance(ours, theirs) == statistics.concordance(means, theirs)


def test_a_row_with_a_diverged_agent_and_rows_of_one_side_are_left_out():
    ours = agents({"a": [0.0, 0.1], "b": [9.0, 9.1], "lost": [1.0, np.nan], "only here": [3, 4]})
    theirs = table({"a": 0.0, "b": 10.0, "lost": 20.0, "only there": 1.0})
    assert statistics.concordance(ours, theirs).pairs == 1


def test_a_table_names_an_algorithm_once():
    twice = pd.concat([table({"a": 0.0}), table({"a": 1.0})])
    with pytest.raises(ValueError, match="more than one row of a"):
        statistics.concordance(twice, table({"a": 0.0}))
