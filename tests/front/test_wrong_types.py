"""What is no path is refused like any other wrong value: with its name, in one line."""

import pytest

import mirrorpo as mpo

CALLS = {
    "file": [mpo.verify, mpo.import_data, mpo.DataFile.load],
    "data": [mpo.recommend, lambda value: mpo.train("dpo", value)],
    "pool": [mpo.label],
    "agent": [
        mpo.evaluate,
        mpo.render,
        lambda value: mpo.limbs(value, task="ant"),
        lambda value: mpo.calibrate(value, task="tla", target=1.0),
    ],
    "run": [lambda value: mpo.pick_agent(value, near=1.0, name="one")],
    "folder": [mpo.BenchResult.load, mpo.DiscoveryResult.load],
    "out": [
        lambda value: mpo.generate("hopper", rows=8, out=value),
        lambda value: mpo.label("pool.safetensors", out=value),
        lambda value: mpo.render("hopper-expert", out=value),
    ],
    "objective": [mpo.explain, mpo.submit],
    "start_from": [lambda value: mpo.train("dpo", "pairs.safetensors", start_from=value)],
}


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in CALLS.items() for call in calls]
)
@pytest.mark.parametrize("value", [3, ["a"]])
def test_what_is_no_path_is_a_value_error_that_names_the_argument(name, call, value):
    with pytest.raises(ValueError, match=f"^{name} is ") as refusal:
        call(value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("tier", [None, 3, ["quick"]])
def test_a_tier_that_is_no_text_is_refused_as_an_unknown_one(tier):
    with pytest.raises(ValueError, match=r"^tier must be quick or full, not "):
        mpo.submit("dpo", tier=tier)
