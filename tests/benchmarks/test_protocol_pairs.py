"""Orders of losses under two protocols are compared where one choice differs, and no other."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.protocol_study import FACTORS, Arm

from benchmarks import protocol_pairs

LOSSES = ("sft", "dpo", "cpo", "lpo")


def setting(study, means, variant="base", **levels):
    arm = Arm(**levels)
    rows = [
        {"algorithm": name, "seed": seed, "data_draw": 0, "return_mean": mean + seed}
        for name, mean in zip(LOSSES, means, strict=True)
        for seed in range(3)
    ]
    values = tuple(getattr(arm, name) for name in FACTORS)
    return protocol_pairs.Setting(study, values, variant, pd.DataFrame(rows))


UP = (100.0, 200.0, 300.0, 400.0)
EVERY = [
    setting("one", UP),
    setting("one", UP[::-1], schedule="linear"),
    setting("one", UP, schedule="linear", std="fixed:1"),
    setting("one", UP, variant="noisy:0.3"),
    setting("two", (100.0, 200.0, 400.0, 300.0)),
]


def test_settings_that_differ_in_one_choice_on_the_same_data_are_compared():
    found = {
        (one.factor, one.first.study, one.second.study): (one.tau, one.pairs.alike, one.pairs.both)
        for one in protocol_pairs.comparisons(EVERY)
    }
    assert found == {
        (protocol_pairs.AGAIN, "one", "two"): (pytest.approx(4 / 6), 5, 6),
        ("schedule", "one", "one"): (-1.0, 0, 6),
        ("schedule", "one", "two"): (pytest.approx(-4 / 6), 1, 6),
        ("std", "one", "one"): (-1.0, 0, 6),
    }


def test_losses_are_matched_by_name_and_not_by_row():
    first, other = EVERY[0], setting("two", UP)
    shuffled = protocol_pairs.Setting(
        "two", other.levels, "base", other.agents.sample(frac=1.0, random_state=1)
    )
    assert protocol_pairs.compare(first, shuffled, "rate").tau == 1.0


def test_the_table_sums_pairs_and_averages_correlations():
    *_, last = protocol_pairs.table(protocol_pairs.comparisons(EVERY))
    assert last == "| base | std | 1 | -1.00 | 0 of 6 (0 %) |"
    schedule = next(
        row for row in protocol_pairs.table(protocol_pairs.comparisons(EVERY)) if "sch" in row
    )
    mean = np.mean([-1.0, -4 / 6])
    assert schedule == f"| base | schedule | 2 | {mean:.2f} | 1 of 12 (8 %) |"
