"""The same objective on NumPy, JAX and PyTorch arrays: same values, same gradients, any mode."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives

SINGLE = {"rtol": 2e-6, "atol": 1e-6}
NAMES = objectives.available()


@pytest.fixture
def single(arrays):
    return tuple(np.asarray(array, np.float32) for array in arrays)


def jax_loss(objective, chosen, rejected, rest, progress=0.3):
    return objective(objectives.PairLogProbs(chosen, rejected, *rest), progress)


@jax.jit
def compiled_losses_and_gradients(chosen, rejected, rest, progress):
    """Of every objective, by its name; one program takes less time to compile than one each."""

    def of(name):
        def total(chosen, rejected):
            objective = objectives.get(name, aggregation="mean")
            loss = jax_loss(objective, chosen, rejected, rest, progress)
            return loss.sum(), loss

        (_, loss), gradients = jax.value_and_grad(total, (0, 1), has_aux=True)(chosen, rejected)
        return loss, gradients

    return {name: of(name) for name in NAMES}


@pytest.fixture
def compiled(single):
    chosen, rejected, *rest = map(jnp.asarray, single)
    return compiled_losses_and_gradients(chosen, rejected, rest, 0.3)


def test_jax_gives_numpys_values_with_and_without_jit(single, compiled, every_name):
    objective = objectives.get(every_name, aggregation="mean")
    expected = objective(objectives.PairLogProbs(*single), 0.3)
    assert expected.dtype == np.float32
    chosen, rejected, *rest = map(jnp.asarray, single)
    eager = jax_loss(objective, chosen, rejected, rest)
    compiled, _ = compiled[every_name]
    assert eager.dtype == compiled.dtype == jnp.float32
    np.testing.assert_allclose(eager, expected, **SINGLE)
    np.testing.assert_allclose(compiled, expected, **SINGLE)


def test_torch_gives_numpys_values_and_jaxs_gradients(single, compiled, every_name):
    torch = pytest.importorskip("torch")
    objective = objectives.get(every_name, aggregation="mean")
    tensors = [torch.tensor(array) for array in single]
    chosen, rejected = (tensor.requires_grad_() for tensor in tensors[:2])
    loss = objective(objectives.PairLogProbs(chosen, rejected, *tensors[2:]), 0.3)
    assert loss.dtype == torch.float32
    expected = objective(objectives.PairLogProbs(*single), 0.3)
    np.testing.assert_allclose(loss.detach().numpy(), expected, **SINGLE)
    gradients = torch.autograd.grad(loss.sum(), (chosen, rejected), allow_unused=True)
    _, expected_gradients = compiled[every_name]
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        found = np.zeros(8) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_half_precision_tensors_are_computed_in_single(arrays):
    torch = pytest.importorskip("torch")
    for dtype in (torch.bfloat16, torch.float16):
        half = [torch.tensor(array).to(dtype) for array in arrays]
        pairs = objectives.PairLogProbs(*half)
        for name in ("orpo", "dpo", "aqfl"):
            loss = objectives.get(name)(pairs)
            exact = objectives.get(name)(objectives.PairLogProbs(*(h.float() for h in half)))
            assert loss.dtype == torch.float32
            torch.testing.assert_close(loss, exact)


def test_integer_lengths_do_not_change_the_precision(single, every_name):
    lengths = [array.astype(np.int64) for array in single[4:]]
    pairs = objectives.PairLogProbs(*single[:4], *lengths)
    assert objectives.get(every_name, aggregation="mean")(pairs).dtype == np.float32


def test_reference_points_are_constants_for_the_gradient(single):
    """KTO's gradient on one pair, with the batch's mean held fixed, is the batch's gradient."""
    chosen, rejected, *rest = map(jnp.asarray, single)
    rest[0], rest[1] = rest[0] - 5.0, rest[1] - 5.0  # a clearly positive reference point
    objective = objectives.get("kto", beta=0.3)
    gradient = jax.grad(lambda c: jax_loss(objective, c, rejected, rest).sum())(chosen)
    log_ratio_w, log_ratio_l = chosen - rest[0], rejected - rest[1]
    point = 0.5 * (log_ratio_w.mean() + log_ratio_l.mean())
    fixed = jax.grad(lambda c: -0.5 * jax.nn.sigmoid(0.3 * (c - rest[0] - point)).sum())(chosen)
    np.testing.assert_allclose(gradient, fixed, rtol=1e-5)


def test_aot_keeps_each_pairs_gradient_through_the_sort(single):
    chosen, rejected, *rest = map(jnp.asarray, single)
    objective = objectives.get("aot")
    gradient = jax.grad(lambda c: jax_loss(objective, c, rejected, rest).sum())(chosen)
    assert (gradient < 0).all()


def test_objectives_and_pairs_are_immutable(pairs, every_name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        objectives.get(every_name).aggregation = "mean"
    with pytest.raises(dataclasses.FrozenInstanceError):
        pairs.chosen = None


def test_torch_takes_the_arrays_of_a_learned_objective_without_a_warning():
    torch = pytest.importorskip("torch")
    objective = objectives.get("1s-mpo", psi=objectives.MonotoneNetwork.psi())
    pairs = objectives.PairLogProbs(torch.tensor([-1.0]), torch.tensor([-2.0]))
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            objective(pairs)
    finally:
        torch.set_warn_always(False)
