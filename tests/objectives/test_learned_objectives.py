"""Objectives with learned functions: members of the family, their vectors, progress and range."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import (
    Extended,
    LearnedSchedule,
    Linear,
    Log,
    LogSigmoid,
    MonotoneNetwork,
    Sigmoid,
    TimedNetwork,
    get,
    parameter_vector,
)
from mirrorpo.runtime import pytrees

from .networks import ROLES, perturbed, schedule, timed

psi, phi, link = MonotoneNetwork.psi, MonotoneNetwork.inverse_potential, MonotoneNetwork.link


def learned(name="1s-mpo", **changes):
    functions = {"psi": psi(), "inverse_potential": phi("logit"), "link": link()}
    return get(name, **{**functions, "aggregation": "mean", **changes})


@pytest.mark.parametrize("input", ["log-prob", "probability"])
@pytest.mark.parametrize(
    ("name", "functions", "settings", "member"),
    [
        (
            "1s-mpo",
            {"inverse_potential": "log", "link": "log-sigmoid"},
            {"beta": 0.3, "weight": 1.0},
            get("cpo", beta=0.3, aggregation="mean"),
        ),
        (
            "1s-mpo",
            {"inverse_potential": "logit", "link": "log-sigmoid"},
            {"beta": 1.0, "weight": 0.7},
            get("orpo", weight=0.7),
        ),
        (
            "1s-mpo",
            {"inverse_potential": "log", "link": "identity"},
            {"beta": 1.0, "weight": 1.0},
            get("lpo", weight=2.0, aggregation="mean"),
        ),
        (
            "2s-mpo",
            {"inverse_potential": "log", "link": "log-sigmoid"},
            {"beta": 0.3},
            get("dpo", beta=0.3, aggregation="mean"),
        ),
        (
            "ta-mpo",
            {"inverse_potential": "log", "link": "log-sigmoid"},
            {"beta": 0.3, "gamma": 0.7},
            get("ta-mpo", beta=0.3, gamma=0.7, aggregation="mean"),
        ),
    ],
    ids=["cpo", "orpo", "lpo", "dpo", "ta-mpo"],
)
def test_explicit_vectors_give_the_known_members(pairs, name, functions, settings, member, input):
    objective = get(
        name,
        inverse_potential=phi(functions["inverse_potential"], input=input),
        link=link(functions["link"]),
        aggregation="mean",
        **settings,
    )
    if name != "2s-mpo":
        objective = dataclasses.replace(objective, psi=psi(input=input))
    vector, _ = parameter_vector(objective)
    _, rebuild = parameter_vector(perturbed(objective, 1.0, 0))
    again = rebuild(vector)
    np.testing.assert_allclose(again(pairs, 0.3), member(pairs, 0.3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("fixed", [LogSigmoid(), objectives.Identity()])
def test_any_function_may_be_learned_or_fixed(pairs, fixed):
    objective = get("1s-mpo", psi=psi(), inverse_potential=Log(), link=fixed, aggregation="mean")
    vector, rebuild = parameter_vector(objective)
    assert vector.size == 379
    assert rebuild(vector).link == fixed
    np.testing.assert_allclose(rebuild(vector)(pairs), objective(pairs), rtol=1e-12)


def test_a_vector_comes_back_as_the_same_objective(pairs):
    objective = perturbed(learned("ta-mpo", schedule=LearnedSchedule()), 0.1, 0)
    vector, rebuild = parameter_vector(objective)
    assert vector.dtype == np.float32
    assert vector.shape == (379 + 380 + 379 + 381,)
    assert rebuild(vector) == objective
    back, _ = parameter_vector(rebuild(vector + 1))
    np.testing.assert_array_equal(back, vector + 1)


def test_hyperparameters_join_the_vector_positive_ones_as_logarithms():
    objective = learned("ta-mpo", beta=2.0, gamma=0.5)
    vector, rebuild = parameter_vector(objective, ("gamma", "beta"))
    np.testing.assert_allclose(vector[-2:], [0.5, np.log(2.0)])
    moved = rebuild(vector - 1)
    np.testing.assert_allclose([moved.gamma, moved.beta], [0.0, 2 / np.e], rtol=1e-6)
    for name in ("aggregation", "psi", "betta"):
        with pytest.raises(ValueError, match=f"ta-mpo has no numeric hyper-parameter '{name}'"):
            parameter_vector(objective, (name,))
    with pytest.raises(ValueError, match=r"shape \(3,\), but must have \(1140,\)"):
        rebuild(np.zeros(3))


def test_an_objective_without_networks_has_an_empty_vector(pairs):
    vector, rebuild = parameter_vector(get("dpo"))
    assert vector.shape == (0,)
    assert rebuild(vector) == get("dpo")


def test_vectors_are_traced_batched_and_differentiated(arrays):
    pairs = objectives.PairLogProbs(*(jnp.asarray(array, jnp.float32) for array in arrays))
    objective = get("1s-mpo", link=link(), aggregation="mean")
    vector, rebuild = parameter_vector(objective, ("beta",))
    vectors = vector + 0.1 * np.random.default_rng(0).normal(size=(3, vector.size))
    vectors = vectors.astype(np.float32)
    batched = jax.jit(jax.vmap(lambda v: rebuild(v)(pairs)))(vectors)
    for row, one in enumerate(vectors):
        np.testing.assert_allclose(batched[row], rebuild(one)(pairs), rtol=1e-5, atol=1e-5)
    gradient = jax.jit(jax.grad(lambda v: rebuild(v)(pairs).sum()))(jnp.asarray(vectors[0]))
    assert np.isfinite(gradient).all()
    assert (gradient != 0).mean() > 0.3


def test_networks_stack_as_leaves_for_training(arrays):
    pairs = objectives.PairLogProbs(*(jnp.asarray(array, jnp.float32) for array in arrays))
    many = [perturbed(learned(), 0.1, seed) for seed in range(3)]
    found = jax.vmap(lambda objective: objective(pairs))(pytrees.stack(many))
    for row, objective in enumerate(many):
        np.testing.assert_allclose(found[row], objective(pairs), rtol=1e-5, atol=1e-5)


def test_torch_rebuilds_and_trains_with_a_learned_objective(arrays):
    torch = pytest.importorskip("torch")
    single = [np.asarray(array, np.float32) for array in arrays]
    objective = perturbed(
        learned("ta-mpo", link=TimedNetwork.of(link()), schedule=LearnedSchedule()), 0.1, 0
    )
    vector, rebuild = parameter_vector(objective)
    chosen = torch.tensor(single[0], requires_grad=True)
    pairs = objectives.PairLogProbs(chosen, *map(torch.tensor, single[1:]))
    for candidate in (objective, rebuild(torch.tensor(vector))):
        loss = candidate(pairs, 0.3)
        expected = objective(objectives.PairLogProbs(*single), 0.3)
        np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
        assert torch.isfinite(torch.autograd.grad(loss.sum(), chosen)[0]).all()


def test_a_timed_network_is_increasing_at_every_time_and_free_in_time():
    values = []
    x = np.linspace(-9, 9, 10_000)
    for progress in (0.0, 0.3, 1.0):
        network = timed(link(low=-3, high=3), size=1.0).at(progress)
        values.append(network(x))
        assert (np.diff(values[-1]) > 0).all()
        assert (np.diff(network(x.astype(np.float32))) >= 0).all()
    step = np.diff(np.stack(values), axis=0)
    step -= step[:, :1]
    assert np.abs(step).max(axis=1).min() > 0.1


def test_a_timed_network_without_drift_is_its_network(pairs):
    still = learned(link=TimedNetwork.of(link()), psi=TimedNetwork.of(psi()))
    for progress in (0.0, 0.7):
        np.testing.assert_allclose(still(pairs, progress), learned()(pairs), rtol=1e-7)


def test_objectives_evaluate_timed_networks_at_their_progress(pairs):
    moving = timed(phi(), size=0.5)
    objective = learned(inverse_potential=moving)
    now = learned(inverse_potential=moving.at(0.7))
    np.testing.assert_allclose(objective(pairs, 0.7), now(pairs), rtol=1e-6)
    assert np.abs(objective(pairs, 0.7) - objective(pairs, 0.0)).max() > 0.01
    traced = jax.jit(lambda t: objective(pairs, t))(0.7)
    np.testing.assert_allclose(traced, now(pairs), rtol=1e-4, atol=1e-5)


def test_timed_networks_check_their_parts():
    with pytest.raises(ValueError, match="network is 'log', not monotone-network"):
        TimedNetwork(network=Log())
    with pytest.raises(ValueError, match=r"coefficient_drift has 1 values, but .* 2 extra terms"):
        TimedNetwork(network=phi())
    with pytest.raises(ValueError, match="its network is one of a log-prob"):
        learned(link=TimedNetwork.of(psi()))


def test_a_learned_schedule_starts_at_the_papers():
    t = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(LearnedSchedule()(t), Linear()(t), atol=1e-6)
    np.testing.assert_allclose(LearnedSchedule.sigmoid()(t), Sigmoid()(t), atol=1e-6)


@pytest.mark.parametrize("size", [0.03, 0.3, 1.0])
def test_a_learned_schedule_increases_within_its_bounds(size):
    t = np.linspace(0, 1, 10_000, dtype=np.float32)
    for seed in range(20):
        alpha = schedule(size, seed)(t)
        assert (np.diff(alpha) >= 0).all()
        assert ((alpha >= 0) & (alpha <= 1)).all()
    gradient = jax.jit(jax.vmap(jax.grad(schedule(size))))(jnp.asarray(t[::100]))
    assert np.isfinite(gradient).all()


def test_a_learned_schedule_may_start_and_end_anywhere():
    flat = dataclasses.replace(
        LearnedSchedule.sigmoid(steepness=0.8, centre=0.0), offset=np.asarray([-0.4])
    )
    ends = flat(np.asarray([0.0, 1.0]))
    np.testing.assert_allclose(ends, 1 / (1 + np.exp([0.4, -0.4])), rtol=1e-6)


def test_a_network_is_extended_by_its_tangents():
    start, (low, high) = ROLES["link"]
    network = perturbed(start, 0.3, 0)
    extended = Extended(function=network, low=low, high=high)
    inside = np.linspace(low, high, 101)
    np.testing.assert_array_equal(extended(inside), network(inside))
    ends = np.asarray([low, high])
    for distance in (1e-3, 1.0, 1e6):
        beyond = ends + np.asarray([-distance, distance])
        tangent = network(ends) + network.derivative(ends) * (beyond - ends)
        np.testing.assert_allclose(extended(beyond), tangent, rtol=1e-12)
        np.testing.assert_allclose(extended.derivative(beyond), network.derivative(ends))


@pytest.mark.parametrize("role", ROLES)
def test_beyond_the_visited_range_everything_stays_sane(role):
    start, (low, high) = ROLES[role]
    for seed in range(2):
        extended = Extended(function=perturbed(start, 0.3, seed), low=low, high=high)
        far = np.geomspace(1e-3, 1e6, 200)
        x = np.concatenate([low - far[::-1], np.linspace(low, high, 1000), high + far])
        x = x.astype(np.float32)
        values = extended(x)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert (np.diff(values) >= 0).all()
        slopes = jax.jit(jax.vmap(jax.grad(extended)))(jnp.asarray(x))
        assert np.isfinite(slopes).all()
        assert (slopes > 0).all()
        np.testing.assert_allclose(slopes, extended.derivative(x), rtol=1e-4)


def test_known_functions_are_extended_too_and_others_refused():
    extended = Extended(function="logit", low=-5.0, high=-1.0)
    np.testing.assert_allclose(extended(np.asarray([-3.0])), objectives.Logit()(np.asarray([-3.0])))
    slope = 1 / (1 - np.exp(-1.0))
    np.testing.assert_allclose(np.diff(extended(np.asarray([0.0, 1.0]))), slope)
    with pytest.raises(ValueError, match="chi-squared does not state its derivative"):
        Extended(function="chi-squared")(np.zeros(1))
    with pytest.raises(ValueError, match=r"low is 1\.0, but must be below 0\.0"):
        Extended(low=1.0, high=0.0)


def test_an_extended_timed_network_follows_progress(pairs):
    moving = timed(link(), size=0.5)
    objective = learned(link=Extended(function=moving, low=-0.2, high=0.2))
    now = learned(link=Extended(function=moving.at(0.6), low=-0.2, high=0.2))
    np.testing.assert_allclose(objective(pairs, 0.6), now(pairs), rtol=1e-6)


def test_the_extension_is_differentiable_in_the_parameters():
    extended = Extended(function=ROLES["link"][0], low=-1.0, high=1.0)
    vector, rebuild = parameter_vector(extended)
    gradient = jax.grad(lambda v: rebuild(v)(jnp.asarray(5.0)))(jnp.asarray(vector))
    step = np.zeros_like(vector)
    step[-1] = 1e-3  # of the log-sigmoid's weight
    rise = rebuild(vector + step)(np.float64([5.0])) - rebuild(vector - step)(np.float64([5.0]))
    np.testing.assert_allclose(gradient[-1], rise[0] / 2e-3, rtol=1e-3)
