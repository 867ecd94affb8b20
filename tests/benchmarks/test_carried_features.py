"""A loss's features are those of its formula; a shift is how much its place moves with them."""

import pandas as pd
import pytest

from benchmarks import carried_features
from mirrorpo.objectives import naming


def features_of(name):
    return {
        feature for feature, has in carried_features.describe(naming.objective(name)).items() if has
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sft", {"sft", "flat", "lets-go"}),  # it never looks at the rejected side
        ("dpo[beta=3]", {"reference", "flat"}),
        ("ipo[tau=0.1]", {"reference"}),  # a square pulls a wide margin back
        ("simpo[beta=3]", {"flat"}),
        ("cpo[beta=3,sft_weight=1]", {"sft", "flat"}),
        ("slic[delta=1,weight=1]", {"sft", "flat"}),
        ("slic-filtered[drop=0.4,weight=1]", {"sft", "flat", "filter"}),
        ("ropo[alpha=4,beta=3]", {"reference", "flat"}),
        # Its gate is constant for the gradient, and closes on what its memory contradicts.
        ("gated[weight=1,lower=0.5]", {"sft", "flat", "lets-go"}),
    ],
)
def test_features_are_those_of_the_formula(name, expected):
    assert features_of(name) - {"schedule"} == expected


def test_only_a_temporal_loss_has_a_schedule():
    assert "schedule" in features_of("ta-mpo")
    assert "schedule" not in features_of("cpo")


def test_a_feature_that_carries_its_losses_from_last_to_first_has_the_largest_shift():
    names = [f"loss-{number}" for number in range(8)]
    described = pd.DataFrame(
        {
            "moves": [True] * 4 + [False] * 4,
            "stays": [True, False] * 4,
            "rare": [True] + [False] * 7,
        },
        index=names,
    )
    first = pd.DataFrame({"algorithm": names, "mean": [0, 1, 2, 3, 4, 5, 6, 7]})
    last = pd.DataFrame({"algorithm": names, "mean": [4, 5, 6, 7, 0, 1, 2, 3]})
    rows = carried_features.shifts(first, last, described)
    assert list(rows.index) == ["moves", "stays"]  # one loss alone tells nothing of a feature
    assert rows.loc["moves", "first"] == pytest.approx(-4 / 7)
    assert rows.loc["moves", "shift"] == pytest.approx(8 / 7)
    assert rows.loc["moves", "p"] == pytest.approx(2 * 2 / 70)  # exact, times two features
    assert rows.loc["stays", "shift"] == pytest.approx(0)
    assert rows.loc["stays", "p"] == 1
