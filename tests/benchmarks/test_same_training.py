"""The versions that MirrorPO's speed is compared with do the same work to the same result."""

import numpy as np
import pytest
from benchmarks.speed import arithmetic, mirrorpo_learner, textbook_jax, workload
from benchmarks.speed.workload import MINIBATCH, Workload

WORK = Workload(agents=3, hidden=8, gradient_steps=4, time_steps=20)


@pytest.fixture(scope="module")
def given():
    """Rows that are all equal, so that each agent's own order of them does not matter."""
    arrays = {
        name: np.repeat(x[:, :1], WORK.rows, axis=1) for name, x in workload.pairs(WORK).items()
    }
    return arrays, workload.start(WORK)


@pytest.fixture(scope="module")
def ours(given):
    trained = mirrorpo_learner.trainer(WORK, *given)()
    moved = np.abs(trained["kernel_1"] - given[1]["kernel_1"]).max()
    assert moved > 10 * 1e-4, "training moves the parameters by more than the tolerance"
    return trained


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4, rtol=0, err_msg=name)


def test_textbook_jax_gives_the_learners_parameters(given, ours):
    assert_same(textbook_jax.trainer(WORK, *given, workload.orders(WORK))(), ours)


def test_textbook_jax_in_bfloat16_moves_the_parameters_almost_as_the_learner_does(given, ours):
    found = textbook_jax.trainer(WORK, *given, workload.orders(WORK), bfloat16=True)()
    assert found.keys() == ours.keys()
    moved, expected = (
        np.concatenate([(x[name] - given[1][name]).ravel() for name in ours]) for x in (found, ours)
    )
    assert not np.array_equal(moved, expected)
    assert np.corrcoef(moved, expected)[0, 1] > 0.9


@pytest.mark.parametrize("vectorised", [True, False])
def test_pytorch_gives_the_learners_parameters(given, ours, vectorised):
    pytest.importorskip("torch")
    from benchmarks.speed import torch_loops

    found = torch_loops.trainer(WORK, *given, workload.orders(WORK), vectorised)()
    assert_same(found, ours)


def test_each_agent_sees_every_row_once():
    order = workload.orders(WORK)
    assert order.shape == (WORK.agents, WORK.gradient_steps, MINIBATCH)
    assert (np.sort(order.reshape(WORK.agents, -1)) == np.arange(WORK.rows)).all()


def test_the_count_of_operations_is_that_of_the_products_written_out():
    rows = 2 * MINIBATCH * WORK.time_steps
    layers = [(27, 8), (8, 8), (8, 8)]
    forward = kernels = sum(2 * rows * a * b for a, b in layers)
    inputs = sum(2 * rows * a * b for a, b in layers[1:])
    assert arithmetic.matrix_flops(WORK) == forward + kernels + inputs
