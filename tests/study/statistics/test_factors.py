import itertools

import numpy as np
import pandas as pd
import pytest

from mirrorpo.reporting.factor_plot import factor_plot
from mirrorpo.study.statistics.factors import factor_effects, setting_responses
from tests.study.statistics.frames import agents, table

LOSSES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
NAMES = list("abcde")
REFERENCE = table(dict(zip(NAMES, LOSSES, strict=True)))


def measured(rng, reverse, stretch, noise=0.05, **levels):
    """One setting: losses in order or backwards, near together or stretched."""
    means = (LOSSES[::-1] if reverse else LOSSES) * (3.0 if stretch else 1.0)
    scores = {
        name: mean + noise * rng.normal(size=4) for name, mean in zip(NAMES, means, strict=True)
    }
    return agents(scores, **levels)


def experiment(settings, rng=None, noise=0.05):
    """`order` reverses the losses, `gain` stretches them, `idle` does nothing."""
    rng = rng or np.random.default_rng(0)
    return pd.concat(
        [
            measured(rng, order == "new", gain == "new", noise, order=order, gain=gain, idle=idle)
            for order, gain, idle in settings
        ],
        ignore_index=True,
    )


FULL = list(itertools.product(["old", "new"], repeat=3))
ONE_AT_A_TIME = [
    ("old", "old", "old"), ("new", "old", "old"), ("old", "new", "old"), ("old", "old", "new"),
]  # fmt: skip
HALF = [
    ("old", "old", "old"), ("old", "new", "new"), ("new", "old", "new"), ("new", "new", "old"),
]  # fmt: skip


def effects_of(settings, **options):
    found = factor_effects(
        experiment(settings), ["order", "gain", "idle"], REFERENCE, resamples=50, **options
    )
    return found.set_index(["response", "factor"])


@pytest.mark.parametrize("settings", [FULL, ONE_AT_A_TIME, HALF], ids=["full", "single", "half"])
def test_a_factor_shows_in_the_response_that_it_moves_and_in_no_other(settings):
    found = effects_of(settings)["effect"]
    # From tau 1 to -1.
    assert found["tau to reference", "order"] == pytest.approx(-2.0)
    assert found["order", "order"] == pytest.approx(2.0, abs=1e-9)
    sd = LOSSES.std(ddof=1)
    if settings is not ONE_AT_A_TIME:
        assert found["spread", "gain"] == pytest.approx(2 * sd, rel=0.1)
    for response in ("order", "tau to reference"):
        assert found[response, "gain"] == pytest.approx(0.0, abs=1e-9)
        assert found[response, "idle"] == pytest.approx(0.0, abs=1e-9)
    assert found["spread", "idle"] == pytest.approx(0.0, abs=0.1)


def test_intervals_hold_the_noise_of_agents():
    rng = np.random.default_rng(1)
    frame = experiment(FULL, rng, noise=1.0)
    found = factor_effects(frame, ["order", "gain", "idle"], REFERENCE, resamples=200)
    found = found.set_index(["response", "factor"])
    assert (found["low"] <= found["high"]).all()
    low, high = found.loc[("tau to reference", "idle"), ["low", "high"]]
    assert low <= 0 <= high
    assert found.loc[("tau to reference", "order"), "high"] < -0.5


def test_without_a_reference_order_and_spread_remain_and_without_resamples_no_interval():
    found = factor_effects(experiment(FULL), ["order", "gain"], resamples=0)
    assert set(found["response"]) == {"order", "spread"}
    assert found[["low", "high"]].isna().all(axis=None)
    assert (found["baseline"] == "old").all()


def test_each_variant_has_its_own_effects_and_reference():
    frame = pd.concat(
        [experiment(FULL).assign(variant="base"), experiment(FULL).assign(variant="noisy:0.3")]
    )
    backwards = REFERENCE.assign(mean=-REFERENCE["mean"], variant="noisy:0.3")
    reference = pd.concat([REFERENCE.assign(variant="base"), backwards])
    found = factor_effects(frame, ["order"], reference, resamples=0)
    found = found.set_index(["variant", "response"])["effect"]
    assert found["base", "tau to reference"] == pytest.approx(-2.0)
    assert found["noisy:0.3", "tau to reference"] == pytest.approx(2.0)


def test_levels_of_three_have_an_effect_each():
    rng = np.random.default_rng(2)
    frame = pd.concat(
        [
            measured(rng, False, False, width=64),
            measured(rng, False, True, width=128),
            measured(rng, True, False, width=256),
        ]
    )
    found = factor_effects(frame, ["width"], REFERENCE, resamples=0)
    spread = found[found["response"] == "spread"].set_index("level")["effect"]
    assert spread[128] == pytest.approx(2 * LOSSES.std(ddof=1), rel=0.1)
    assert spread[256] == pytest.approx(0.0, abs=0.1)


def test_responses_of_each_setting_stand_beside_its_levels():
    found = setting_responses(experiment(FULL), ["order", "gain", "idle"], REFERENCE)
    assert len(found) == 8
    by_order = found.set_index("order")
    assert (by_order.loc["old", "concordance"] == 1.0).all()
    assert (by_order.loc["new", "concordance"] == 0.0).all()
    assert (found["pairs"] == 10).all()
    assert (by_order.loc["new", "tau to reference"] == -1.0).all()


def test_a_loss_that_a_setting_lacks_or_lost_counts_in_none():
    frame = experiment(FULL)
    frame.loc[(frame["algorithm"] == "a") & (frame["idle"] == "new"), "score"] = np.nan
    whole = setting_responses(experiment(FULL), ["order", "gain", "idle"])
    less = setting_responses(frame, ["order", "gain", "idle"])
    assert (less["spread"] < whole["spread"]).all()


def test_designs_that_cannot_answer_are_refused():
    same = experiment([("old", "old", "old"), ("new", "new", "old")])
    with pytest.raises(ValueError, match="idle has one level only"):
        factor_effects(same, ["order", "idle"])
    with pytest.raises(ValueError, match="cannot tell order=new from the other factors"):
        factor_effects(same, ["order", "gain"])
    few = experiment(FULL)
    with pytest.raises(ValueError, match="2 losses have a score in all 8 settings"):
        factor_effects(few[few["algorithm"].isin(["a", "b"])], ["order", "gain", "idle"])
    with pytest.raises(ValueError, match="The reference has 1 of the losses"):
        factor_effects(few, ["order"], REFERENCE.head(1))
    with pytest.raises(ValueError, match="no column width"):
        factor_effects(few, ["width"])


def test_the_plot_has_a_panel_per_response_and_a_row_per_factor():
    found = factor_effects(experiment(FULL), ["order", "gain", "idle"], REFERENCE, resamples=20)
    figure = factor_plot(pd.concat([found.assign(variant=name) for name in ("base", "noisy:0.3")]))
    assert len(figure.axes) == 3
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["order: old → new", "gain: old → new", "idle: old → new"]
    drawn = figure.axes[1].lines[0].get_xdata()
    expected = found[found["response"] == "tau to reference"]["effect"]
    np.testing.assert_allclose(drawn, expected)
    with pytest.raises(ValueError, match="no effects to draw"):
        factor_plot(found.head(0))
