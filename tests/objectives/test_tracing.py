"""Hyper-parameters are leaves: traced, batched and differentiated without compiling again."""

import collections
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.runtime.pytrees import as_pytree


def numbers(objective):
    fields = dataclasses.fields(objective)
    return [f.name for f in fields if isinstance(getattr(objective, f.name), float)]


WITH_NUMBERS = [name for name in objectives.available() if numbers(objectives.get(name))]


@pytest.fixture
def jax_pairs(arrays):
    return as_pytree(
        objectives.PairLogProbs(*(jnp.asarray(array, jnp.float32) for array in arrays))
    )


def started(name):
    objective = objectives.get(name, aggregation="mean")
    return dataclasses.replace(objective, divergence="alpha") if name == "fdpo" else objective


TRACES = collections.Counter()


@jax.jit
def batched_losses(values, pairs):
    """Of every objective, at each row of its numbers; one program compiles faster than many."""

    def of(name, values):
        def one(values):
            TRACES[name] += 1
            return dataclasses.replace(started(name), **values)(pairs, 0.3)

        return jax.vmap(one)(values)

    return {name: of(name, of_name) for name, of_name in values.items()}


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_all_numbers_can_be_batched_at_once_and_compile_once(jax_pairs, arrays, name):
    every = {
        one: {n: getattr(started(one), n) for n in numbers(started(one))} for one in WITH_NUMBERS
    }
    single = objectives.PairLogProbs(*(np.asarray(array, np.float32) for array in arrays))
    for factor in (1.0, 0.9):
        scales = np.array([factor, factor * 0.8], np.float32)
        values = {one: {n: v * scales for n, v in of.items()} for one, of in every.items()}
        found = batched_losses(values, jax_pairs)[name]
        for row, scale in enumerate((factor, factor * 0.8)):
            plain = dataclasses.replace(
                started(name), **{n: v * scale for n, v in every[name].items()}
            )
            np.testing.assert_allclose(found[row], plain(single, 0.3), rtol=1e-5, atol=1e-6)
    assert TRACES[name] == 1


def test_losses_are_differentiable_in_every_number(jax_pairs, every_name):
    objective = objectives.get(every_name, aggregation="mean")
    starts = {name: jnp.asarray(getattr(objective, name)) for name in numbers(objective)}

    def total(values):
        return dataclasses.replace(objective, **values)(jax_pairs, 0.3).mean()

    for name, gradient in jax.grad(total)(starts).items():
        assert np.isfinite(gradient), name


def test_numbers_inside_scalar_functions_are_traceable(jax_pairs):
    def total(alpha):
        potential = objectives.Power(alpha=alpha)
        return objectives.get("1s-mpo", inverse_potential=potential)(jax_pairs).mean()

    assert np.isfinite(jax.jit(jax.grad(total))(0.3))
    assert np.isfinite(jax.jit(jax.grad(total))(0.0))


def test_progress_may_be_traced(jax_pairs):
    for schedule in ("linear", "quadratic", "sigmoid"):
        objective = objectives.get("ta-mpo", schedule=schedule)
        found = jax.jit(lambda t, objective=objective: objective(jax_pairs, t))(0.6)
        np.testing.assert_allclose(found, objective(jax_pairs, 0.6), rtol=1e-6)


def test_numpy_pairs_combine_with_traced_hyperparameters(pairs):
    objective = objectives.get("alphapo")
    traced = jax.jit(lambda alpha: dataclasses.replace(objective, alpha=alpha)(pairs))(0.5)
    np.testing.assert_allclose(traced, dataclasses.replace(objective, alpha=0.5)(pairs), rtol=1e-5)


def test_pairs_may_be_batched_over_policies(jax_pairs):
    objective = objectives.get("kto")
    shifts = jnp.asarray([0.0, -1.0])

    def shifted(by):
        return dataclasses.replace(jax_pairs, chosen=jax_pairs.chosen + by)

    both = jax.vmap(lambda s: objective(shifted(s)))(shifts)
    for row, shift in enumerate(shifts):
        np.testing.assert_allclose(both[row], objective(shifted(shift)), rtol=1e-6)


@pytest.mark.parametrize("cls", objectives.tree_classes(), ids=lambda cls: cls.__name__)
def test_components_come_apart_and_go_together(cls, pairs):
    component = pairs if cls is objectives.PairLogProbs else cls()
    leaves, static = objectives.tree_flatten(component)
    hash(static)
    assert not any(isinstance(leaf, str) for leaf in leaves)
    rebuilt = objectives.tree_unflatten(cls, static, leaves)
    assert type(rebuilt) is cls
    for field in dataclasses.fields(cls):
        assert getattr(rebuilt, field.name) is getattr(component, field.name)


def test_rebuilding_takes_placeholders():
    leaves, static = objectives.tree_flatten(objectives.get("dpo"))
    axes = objectives.tree_unflatten(type(objectives.get("dpo")), static, [0] * len(leaves))
    assert axes.beta == 0
    marker = object()
    assert dataclasses.replace(objectives.get("dpo"), beta=marker).beta is marker
    assert objectives.PairLogProbs(0, 0, None, marker).reference_rejected is marker
