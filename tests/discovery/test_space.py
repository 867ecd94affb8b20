"""The search space starts at known members, and every vector in it is a sane objective."""

import dataclasses
import itertools

import numpy as np
import pytest

from mirrorpo.discovery import space
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.objectives import Gated, PairLogProbs, get

RANGES = space.Ranges(log_prob=(-8.0, -2.0), margin=(-6.0, 6.0))
DRAW = np.random.default_rng(0)
CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED = DRAW.uniform(-8, -2, size=(4, 50))
PAIRS = PairLogProbs(CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED)
EACH_ONCE = (("cpo", True, "log-prob"), ("slic", False, "probability"))
"""The fast suite takes these two pairings of start, time and input; together they hold each choice
once."""


def search(**changes):
    return DiscoverySettings(**changes)


@pytest.mark.parametrize(
    ("settings", "named", "scale"),
    [
        (search(beta=0.5, weight=5.0), get("cpo", beta=0.5, sft_weight=0.2), 5.0),
        (search(start="orpo", weight=3.0), get("orpo", weight=3.0), 1.0),
        (search(start="lpo", weight=2.0), get("lpo", weight=1.5), 2.0),
        (
            search(start="slic", weight=0.5, delta=3.0),
            get("slic", weight=2.0, delta=3.0, aggregation="mean"),
            0.5,
        ),
        (
            search(start="slic", learn=("psi", "link"), timed=True),
            get("slic", weight=1.0, delta=5.0, aggregation="mean"),
            1.0,
        ),
        (search(family="two-step", beta=3.0), get("dpo", beta=3.0), 1.0),
        (
            search(family="two-step", learn=("psi", "inverse_potential", "link"), beta=3.0),
            get("dpo", beta=3.0),
            1.0,
        ),
    ],
    ids=["cpo", "orpo", "lpo", "slic", "slic-timed", "dpo", "dpo-with-psi"],
)
@pytest.mark.parametrize("parameters", ["all", "outputs", "activations"])
def test_the_start_of_a_search_is_the_known_member(settings, named, scale, parameters):
    settings = DiscoverySettings(**{**vars(settings), "parameters": parameters})
    built = space.build(settings, RANGES)
    for objective in (built.member, built.objective(built.start)):
        np.testing.assert_allclose(objective(PAIRS), scale * named(PAIRS), rtol=2e-5, atol=2e-5)


def test_the_gated_family_starts_with_the_plainest_gate_and_every_vector_in_it_is_a_formula():
    built = space.build(search(family="gated"), RANGES)
    assert built.start.shape == (5,)
    np.testing.assert_allclose(built.objective(built.start)(PAIRS), built.member(PAIRS), rtol=1e-6)
    gate = built.member.gate(np.array([1.0, 1.0, 1.0, -1.0]), None)
    assert gate[0] > 0.95
    assert gate[3] < 0.05
    for vector in np.random.default_rng(0).normal(scale=3, size=(20, 5)).astype("f4"):
        found = built.objective(vector)
        assert isinstance(found, Gated)
        assert 0 < found.trust <= 1
        assert np.isfinite(found(PAIRS)).all()


def test_some_numbers_of_the_gated_family_can_be_searched_alone():
    built = space.build(search(family="gated", learn=("lower",)), RANGES)
    found = built.objective(np.array([3.0], "f4"))
    assert found.lower == pytest.approx(1.5)
    assert found.weight == built.member.weight


def test_the_schedule_of_the_gated_family_is_searched_where_it_is_asked_for():
    names = (*search(family="gated").learned, "tilt")
    plain = space.build(search(family="gated"), RANGES)
    timed = space.build(search(family="gated", learn=names), RANGES)
    for vector in np.random.default_rng(0).normal(scale=3, size=(20, 6)).astype("f4"):
        found = timed.objective(vector)
        assert abs(found.tilt) < 1
        assert np.sign(found.tilt) == np.sign(vector[5])
        assert dataclasses.replace(found, tilt=0.0) == plain.objective(vector[:5])
    assert timed.objective(timed.start).tilt == 0
    assert plain.objective(np.ones(5, "f4")).tilt == 0


def test_a_family_has_only_its_own_numbers():
    with pytest.raises(ValueError, match="some of lower, softness, trust, weight, delta"):
        search(family="gated", learn=("psi",))
    with pytest.raises(ValueError, match="left out: the gated family has none"):
        search(family="gated", beta=2.0)


def test_the_temporal_family_starts_with_the_linear_schedule():
    built = space.build(search(family="temporal", learn=("link", "schedule")), RANGES)
    named = get("ta-mpo", beta=1.0, gamma=0.5, aggregation="mean")
    for progress in (0.1, 0.5, 0.9):
        found = built.objective(built.start)(PAIRS, progress)
        np.testing.assert_allclose(found, named(PAIRS, progress), rtol=2e-5, atol=2e-5)


def test_outputs_alone_are_a_third_of_the_parameters_and_move_the_function():
    every = space.build(search(), RANGES)
    outputs = space.build(search(parameters="outputs"), RANGES)
    assert 2.9 < len(every.start) / len(outputs.start) < 3.1
    moved = outputs.objective(outputs.start + np.float32(0.1))
    assert not np.allclose(moved(PAIRS), outputs.objective(outputs.start)(PAIRS), rtol=0.01)
    started = outputs.objective(outputs.start)
    np.testing.assert_array_equal(moved.link.kernel, started.link.kernel)
    np.testing.assert_array_equal(moved.psi.bias, started.psi.bias)


def test_tied_outputs_are_one_weight_an_activation_and_every_one_of_them_moves_its_function():
    built = space.build(search(parameters="activations", learn=("psi", "link", "weight")), RANGES)
    # Nine activations and one extra term for each of two functions, and the weight.
    assert built.start.shape == (21,)
    started = built.objective(built.start)
    for index in range(9):
        vector = built.start.copy()
        vector[index] = 0.5
        moved = built.objective(vector)
        np.testing.assert_array_equal(moved.psi.output[index], np.full(14, 0.5, np.float32))
        others = np.arange(9) != index
        np.testing.assert_array_equal(moved.psi.output[others], started.psi.output[others])
        np.testing.assert_array_equal(moved.link.output, started.link.output)
        assert not np.allclose(moved(PAIRS), started(PAIRS), rtol=1e-3)


def test_the_weight_of_a_start_s_own_term_is_searched_and_its_place_is_not():
    built = space.build(search(start="slic", learn=("link",), parameters="activations"), RANGES)
    assert built.start.shape == (11,)  # nine activations, the network's own term, the hinge
    without = built.start.copy()
    without[-1] = -1.0
    moved = built.objective(without)
    assert moved.link.term == built.member.link
    np.testing.assert_allclose(moved.link(np.linspace(-6, 6, 9)), 0.0, atol=1e-4)


def test_a_searched_number_moves_with_its_entry_even_where_it_starts_at_one():
    built = space.build(search(learn=("link", "beta"), beta=1.0, parameters="outputs"), RANGES)
    vector = built.start.copy()
    vector[-1] += np.log(2.0)
    assert float(built.objective(vector).beta) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("parameters", ["all", "outputs", "activations"])
def test_numpy_and_jax_vectors_give_the_same_objective(parameters):
    import jax
    import jax.numpy as jnp

    from mirrorpo.runtime.pytrees import as_pytree

    built = space.build(search(parameters=parameters), RANGES)
    vector = built.start + DRAW.normal(size=built.start.shape).astype("f4") * 0.1
    pairs = PairLogProbs(*(jnp.asarray(x, jnp.float32) for x in (CHOSEN, REJECTED)))
    traced = jax.jit(lambda v: as_pytree(built.objective(v))(pairs))(jnp.asarray(vector))
    plain = built.objective(vector)(PairLogProbs(CHOSEN.astype("f4"), REJECTED.astype("f4")))
    np.testing.assert_allclose(traced, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("start", "timed", "sees"),
    [
        pytest.param(*choices, marks=[] if choices in EACH_ONCE else pytest.mark.slow)
        for choices in itertools.product(
            ("cpo", "slic"), (False, True), ("log-prob", "probability")
        )
    ],
)
def test_an_extended_objective_agrees_inside_and_stays_monotone_far_outside(sees, timed, start):
    built = space.build(search(sees=sees, timed=timed, start=start), RANGES)
    for _ in range(20):
        vector = built.start + DRAW.normal(size=built.start.shape).astype("f4") * 0.3
        plain = built.objective(vector)
        wide = space.extended(plain, RANGES)
        for progress in (0.0, 0.7):
            x = np.linspace(-8, -2, 40)
            for name in ("psi", "inverse_potential", "link"):
                inside, outside = (getattr(o, name).at(progress) for o in (plain, wide))
                at = x if name != "link" else np.linspace(-6, 6, 40)
                np.testing.assert_allclose(inside(at), outside(at), rtol=1e-6, atol=1e-6)
                far = outside(np.linspace(-60.0, 0.0 if name != "link" else 60.0, 2000))
                assert np.isfinite(far).all()
                assert (np.diff(far) >= -1e-9 * np.abs(far).max()).all()


def test_margins_are_the_links_argument():
    points = np.stack([CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED, DRAW.random(50)], axis=1)
    one = get("1s-mpo", inverse_potential="log", beta=2.0)
    np.testing.assert_allclose(space.margins(one, points), 2 * (CHOSEN - REJECTED))
    two = get("2s-mpo", beta=3.0)
    expected = 3 * (CHOSEN - OLD_CHOSEN - REJECTED + OLD_REJECTED)
    np.testing.assert_allclose(space.margins(two, points), expected)
    temporal = get("ta-mpo", beta=1.0, gamma=0.5)
    np.testing.assert_allclose(space.margins(temporal, points), CHOSEN - REJECTED - 0.5)


def test_ranges_hold_every_visited_value_and_never_a_probability_above_one():
    points = np.stack([CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED, np.zeros(50)], axis=1)
    ranges = space.ranges_of(get("1s-mpo"), points, widen=5.0)
    assert ranges.log_prob[0] < CHOSEN.min()
    assert ranges.log_prob[1] == 0.0
    margin = space.margins(get("1s-mpo"), points)
    assert ranges.margin[0] < margin.min()
    assert ranges.margin[1] > margin.max()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"population": 7}, "population must be even"),
        ({"learn": ("psi", "f")}, "learn must be some of psi, inverse_potential, link"),
        ({"learn": ()}, "learn must be some of"),
        ({"start": "dpo"}, "start must be one of cpo, orpo, lpo, slic"),
        ({"delta": 1.0}, "delta must be left out: only the start slic has one"),
        ({"start": "slic", "delta": 0.0}, "delta must be positive"),
        ({"family": "three-step"}, "family must be one of"),
        ({"gamma": 1.0}, "gamma must be left out"),
        ({"family": "temporal", "weight": 1.0}, "weight must be left out"),
        ({"screen_epochs": 12}, "screen_epochs must be from 1"),
        ({"screen_keep": 0.2}, "screen_keep must be left out: without screen_epochs"),
        ({"family": "gated", "timed": True}, "timed must be left out: the gated family has no"),
        ({"strategy": "snes", "step_size": 0.1}, "step_size must be left out: snes has none"),
        ({"strategy": "sgd"}, "strategy must be one of open-es, snes"),
        ({"robust": "median"}, "robust must be one of"),
        (
            {"learn": ("link", "beta,beta")},
            "learn must be some of .* each once, not 'link,beta,beta'",
        ),
        ({"learn": ("phi,inverse-potential",)}, "each once"),
        (
            {"variants": ("base", "base")},
            "variants must be at least one, each once, not 'base,base'",
        ),
        ({"variants": ()}, "variants must be at least one, each once"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"validation_seeds": 0}, "validation_seeds must be at least 1"),
    ],
)
def test_wrong_settings_say_what_is_allowed(wrong, says):
    with pytest.raises(ValueError, match=says):
        DiscoverySettings(**wrong)


def test_names_to_learn_may_be_separated_by_commas():
    assert DiscoverySettings(learn=("psi,beta", "link")).learn == ("psi", "beta", "link")


def test_the_papers_signs_name_functions_too():
    named = ("psi", "inverse_potential", "link")
    for given in ("psi,phi,g", "psi,inverse-potential,link"):
        assert DiscoverySettings(learn=(given,)).learn == named
