"""Monotone networks: known starts, increasing for all parameters, finite, on every library."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorpo import objectives
from mirrorpo.objectives import Identity, Log, Logit, LogSigmoid, MonotoneNetwork, parameter_vector
from mirrorpo.objectives.functions import networks
from mirrorpo.objectives.functions.activations import ACTIVATIONS, FLOOR, LIMIT

from .networks import ROLES, perturbed

KNOWN = {"psi": Log(), "log": Log(), "logit": Logit(), "link": LogSigmoid(), "identity": Identity()}
SIZES = (0.03, 0.3, 1.0)
"""Of the random steps away from the start: one perturbation, a long search, and far beyond."""

EXTREMES = np.asarray([-1e6, -1e3, -88.8, -14, -1, -1e-3, -1e-7, -1e-20, -1e-40], np.float32)
WIDE = np.sort(np.concatenate([EXTREMES, np.float32([0, 0.01, 0.5, 1, 10, 100, 1e6])]))

role = pytest.mark.parametrize("role", ROLES)


def known(role):
    return KNOWN[role.removesuffix("-of-probability")]


@role
def test_a_network_starts_at_its_known_member(role):
    network, (low, high) = ROLES[role]
    x = np.linspace(low - 1, min(high + 1, 1.0 if low < 0 < high else -1e-3), 1000)
    np.testing.assert_allclose(network(x), known(role)(x), rtol=0, atol=1e-6)
    np.testing.assert_allclose(network.derivative(x), known(role).derivative(x), atol=1e-6)


def test_the_layer_is_the_papers():
    network = MonotoneNetwork.inverse_potential()
    assert network.kernel.size == network.bias.size == network.output.size == 126
    assert len(ACTIVATIONS) == 9
    assert parameter_vector(network)[0].size == 3 * 126 + 2


def test_activations_are_the_papers_where_they_are_not_guarded():
    z = np.asarray([0.02, 0.3, 0.97])
    far = np.asarray([1.5, 5.0, 9.9])
    formulas = [
        lambda z: z,
        np.square,
        lambda z: z**3,
        np.sqrt,
        np.cbrt,
        np.log,
        np.exp,
        np.tanh,
        lambda z: np.log(z / (1 - z)),
    ]
    for index, (activation, formula) in enumerate(zip(ACTIVATIONS, formulas, strict=True)):
        np.testing.assert_allclose(activation(z), formula(z), rtol=1e-12)
        if index < 8:
            np.testing.assert_allclose(activation(far), formula(far), rtol=1e-12)
        if index in (0, 2, 6, 7):
            np.testing.assert_allclose(activation(-far), formula(-far), rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_never_decrease_and_grow_at_most_linearly(activation):
    z = np.concatenate([np.linspace(-30, 30, 20001), np.geomspace(1e-6, 1e7, 1000)])
    z = np.sort(np.concatenate([z, -z]))
    values, slopes = activation(z), activation.derivative(z)
    assert (np.diff(values) >= 0).all()
    assert ((slopes >= 0) & (slopes <= np.exp(LIMIT) + 1e-6)).all()
    # Continuous, and its derivative is its slope, also next to each guard.
    for kink in (0.0, FLOOR, 1 - FLOOR, 1.0, LIMIT, -LIMIT):
        around = kink + np.asarray([-2e-7, -1e-7, 1e-7, 2e-7])
        values = activation(around)
        assert abs(values[2] - values[1]) < 1e-2
        for side in (slice(0, 2), slice(2, 4)):
            rise = np.diff(values[side])[0] / 1e-7
            assert rise == pytest.approx(activation.derivative(around[side][:1])[0], abs=1e-2)


@role
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from(SIZES))
def test_every_parameter_vector_gives_a_non_decreasing_function(role, seed, size):
    start, (low, high) = ROLES[role]
    network = perturbed(start, size, seed)
    width = high - low
    x = np.linspace(low - width, min(high + width, 1e3 if low < 0 < high else -1e-6), 10_000)
    exact, single = network(x), network(x.astype(np.float32))
    assert single.dtype == np.float32
    assert (np.diff(single) >= 0).all()
    assert (np.diff(exact) > 0).all()
    if size < 0.1:
        assert (np.diff(single) > 0).all()


@role
def test_compiled_networks_are_non_decreasing(role):
    start, (low, high) = ROLES[role]
    vector, rebuild = parameter_vector(start)
    noise = np.repeat(SIZES, 10)[:, None] * np.random.default_rng(0).normal(size=(30, vector.size))
    x = jnp.linspace(low, high, 10_000)
    values = jax.jit(jax.vmap(lambda v: rebuild(v)(x)))(jnp.asarray(vector + noise, jnp.float32))
    assert (np.diff(values, axis=1) >= 0).all()


def wide(role):
    margin = ROLES[role][0].input == "margin"
    return WIDE if margin else np.minimum(EXTREMES, np.nextafter(np.float32(0), np.float32(-1)))


@functools.cache
def gradients(role):
    """Those of a role's network in its argument and its parameters, compiled once."""
    _, rebuild = parameter_vector(ROLES[role][0])
    return jax.jit(jax.vmap(jax.grad(lambda x, v: rebuild(v)(x), (0, 1)), (0, None)))


@role
@pytest.mark.parametrize("size", [0.0, *SIZES])
def test_values_and_all_gradients_are_finite_everywhere(role, size):
    network, x = perturbed(ROLES[role][0], size, 1), wide(role)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values, slopes = network(x), network.derivative(x)
    assert np.isfinite(values).all()
    assert (slopes >= 0).all()
    vector, _ = parameter_vector(network)
    of_x, of_vector = gradients(role)(jnp.asarray(x), jnp.asarray(vector))
    assert np.isfinite(of_x).all()
    assert np.isfinite(of_vector).all()
    np.testing.assert_allclose(of_x, slopes, rtol=1e-4, atol=1e-6)
    # Gradient clipping squares them.
    assert np.isfinite(np.square(of_x)).all()


@role
def test_torch_gives_the_same_values_and_gradients(role):
    torch = pytest.importorskip("torch")
    network, x = perturbed(ROLES[role][0], 0.3, 2), wide(role)
    tensor = torch.tensor(x, requires_grad=True)
    values = network(tensor)
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values.detach().numpy(), network(x), rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(values.sum(), tensor)
    inner = np.abs(x) > 1e-15  # at the smallest gap, a logit's slope is a convention
    np.testing.assert_allclose(
        gradient.numpy()[inner], network.derivative(x)[inner], rtol=1e-4, atol=1e-6
    )
    assert torch.isfinite(gradient).all()


@role
def test_jax_gives_the_same_values(role):
    network, x = perturbed(ROLES[role][0], 0.3, 2), wide(role)
    np.testing.assert_allclose(jax.jit(network)(x), network(x), rtol=1e-5, atol=1e-6)


@role
def test_the_derivative_is_that_of_the_values(role):
    start, (low, high) = ROLES[role]
    network = perturbed(start, 0.3, 3)
    x = np.linspace(low, high, 301)
    if network.input == "probability":
        x = np.maximum(x, -9.0)
    away = np.abs(x[:, None] - network.kinks()).min(axis=1) > 1e-4
    rise = (network(x + 1e-6) - network(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(network.derivative(x)[away], rise[away], rtol=1e-4, atol=1e-6)


@role
def test_a_perturbation_of_the_papers_size_changes_the_shape(role):
    """Measured between a hundredth and a fifth of the function's own rise over its range."""
    network, (low, high) = ROLES[role]
    x = np.linspace(low, high, 100)
    start = network(x)
    changes = np.stack([perturbed(network, 0.03, seed)(x) - start for seed in range(60)])
    changes -= changes.mean(axis=1, keepdims=True)  # a constant trains nothing
    spread = (changes - changes.mean(axis=0)).std() / (start[-1] - start[0])
    assert 0.005 < spread < 0.2


def test_an_absent_term_answers_to_antithetic_perturbations():
    """Almost a third of the absent units appear, and appear in one member of a pair only."""
    noise = 0.03 * np.random.default_rng(0).normal(size=10_000)
    plus = networks.non_negative(networks.ABSENT + noise)
    minus = networks.non_negative(networks.ABSENT - noise)
    assert networks.non_negative(np.asarray(networks.ABSENT)) < 1e-9
    assert np.mean(plus > 1e-3) == pytest.approx(0.3, abs=0.03)
    slope = np.mean(noise * (plus - minus)) / (2 * 0.03**2)
    assert slope == pytest.approx(0.31, abs=0.02)  # the mean slope that the search sees


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MonotoneNetwork(kernel=np.ones(126)), r"kernel has shape \(126,\).*\(9, 14\)"),
        (lambda: MonotoneNetwork(bias=np.full((9, 14), np.nan)), "bias has values that are not"),
        (lambda: MonotoneNetwork(output=[["a"]]), "output is not an array of numbers"),
        (lambda: MonotoneNetwork(coefficients=np.ones(2)), "'log' needs 1 coefficients"),
        (lambda: MonotoneNetwork(input="margin"), "'margin' does not go with .* 'log'"),
        (lambda: MonotoneNetwork(input="logits"), "input is 'logits', but must be one of"),
        (lambda: MonotoneNetwork(width=0), "width is 0"),
        (lambda: MonotoneNetwork.psi(low=-1, high=-2), "working range is empty: low -1"),
        (lambda: MonotoneNetwork.link("linear"), "start is 'linear', .* log-sigmoid, identity"),
        (lambda: objectives.get("1s-mpo", link=MonotoneNetwork.psi()), r"MonotoneNetwork\.link"),
        (lambda: objectives.get("2s-mpo", psi=MonotoneNetwork.link()), r"MonotoneNetwork\.psi"),
    ],
)
def test_a_wrong_network_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_networks_are_equal_by_their_values_and_do_not_change():
    first, second = MonotoneNetwork.link(), MonotoneNetwork.link()
    assert first == second
    assert hash(first) == hash(second)
    assert first != perturbed(first, 0.03, 0)
    assert first != MonotoneNetwork.psi()
    with pytest.raises(ValueError, match="read-only"):
        first.kernel[0, 0] = 2.0
    given = np.ones((9, 14))
    network = MonotoneNetwork(kernel=given)
    given[0, 0] = 5.0
    assert network.kernel[0, 0] == 1.0
