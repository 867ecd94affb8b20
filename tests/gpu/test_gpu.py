"""A GPU computes what the CPU computes, to rounding. Without a GPU the CPU stands in for it."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Numbers of the default device, and of the CPU in a process of its own."""
    from tests.gpu import numbers

    file = tmp_path_factory.mktemp("cpu") / "numbers.npz"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.gpu.numbers", str(file)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    with np.load(file) as cpu:
        return numbers.compute(), dict(cpu)


def test_training_moves_the_parameters_as_on_the_cpu(both):
    moved = [name for name in both[1] if name != "returns"]
    assert len(moved) == 7
    one, two = (np.concatenate([found[name].ravel() for name in moved]) for found in both)
    # Adam's first steps have the size of the rate wherever a gradient's sign is known, so rounding
    # turns a few tiny gradients around.
    assert np.linalg.norm(two) > 0.01
    assert one @ two / (np.linalg.norm(one) * np.linalg.norm(two)) > 0.999


def test_an_evaluation_returns_what_it_returns_on_the_cpu(both):
    here, cpu = both
    assert here["returns"].shape == (2, 4)
    np.testing.assert_allclose(here["returns"], cpu["returns"], rtol=2e-3, atol=2e-3)


def test_a_language_model_learns_as_on_the_cpu(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("trl")
    from tests.language import tiny

    losses = {}
    for cpu in (True, False):
        made = tiny.trainer(
            "dpo", tmp_path, sft_stage=False, num_train_epochs=2, use_cpu=cpu, bf16=False
        )
        made.train()
        losses[cpu] = tiny.logged(made, "loss")
        assert made.model.device.type == (
            "cuda" if torch.cuda.is_available() and not cpu else "cpu"
        )
    assert len(losses[True]) == 8
    assert losses[False] == pytest.approx(losses[True], rel=5e-3, abs=1e-3)


def test_a_language_model_trains_in_bf16_where_a_gpu_computes_in_it(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("trl")
    from tests.language import tiny

    made = tiny.trainer("ta-mpo", tmp_path, use_cpu=False, bf16=None, max_steps=2)
    made.train()
    gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    assert made.args.bf16 is gpu
    assert len(tiny.logged(made, "loss")) == 2


def test_the_default_device_is_the_gpu_where_there_is_one():
    kinds = {device.platform for device in jax.devices()}
    assert kinds == {jax.default_backend()}
