"""Two processes train as one does: data parallel, and with DeepSpeed's ZeRO."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import tiny

pytest.importorskip("torch")
pytest.importorskip("trl")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = ("loss", "loss/preference", "logps/chosen", "margin", "accuracy")
JOB = f"""
import json, sys
import torch
torch.set_num_threads(1)
from tests.language import tiny
name, folder, changes = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
resumed = changes.pop("resume", None)
made = tiny.trainer(
    name, folder, num_train_epochs=2, per_device_train_batch_size=1, **changes
)
made.train(resumed)
if made.is_world_process_zero():
    found = {{name: tiny.logged(made, name) for name in {NAMES}}}
    print("LOGGED " + json.dumps([made.is_deepspeed_enabled, found]))
"""


def zero(stage):
    """The recipes' DeepSpeed settings at a stage of ZeRO: the optimiser's states and the gradients
    (2), the parameters too (3), are spread over processes."""
    settings = json.loads((ROOT / "recipes" / "deepspeed" / "zero-3.json").read_text())
    return {**settings, "zero_optimization": {"stage": stage}}


def launch(name, tmp_path, **changes):
    """Whether DeepSpeed was on, and what two processes logged."""
    job = tmp_path / "job.py"
    job.write_text(JOB)
    # What `accelerate launch` starts for several GPUs; without one, it starts one process only.
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = ["--nproc_per_node", "2", str(job), name, str(tmp_path / "out"), json.dumps(changes)]
    launched = subprocess.run(
        [*launcher, *command],
        env={
            "PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "HF_HUB_OFFLINE": "1",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "DS_ACCELERATOR": "cpu",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = [line for line in launched.stdout.splitlines() if line.startswith("LOGGED ")]
    assert launched.returncode == 0, launched.stderr[-2000:]
    return json.loads(lines[0].removeprefix("LOGGED "))


@pytest.mark.parametrize("name", ["ta-mpo", "dpo"])
def test_two_processes_train_as_one(name, tmp_path):
    deepspeed, found = launch(name, tmp_path)
    assert not deepspeed
    assert_as_alone(name, found, tmp_path)


@pytest.mark.parametrize("stage", [2, 3])
@pytest.mark.parametrize("name", ["ta-mpo", "dpo"])
def test_two_processes_under_deepspeed_train_as_one(name, stage, tmp_path):
    pytest.importorskip("deepspeed")
    deepspeed, found = launch(name, tmp_path, deepspeed=zero(stage))
    assert deepspeed
    assert_as_alone(name, found, tmp_path)


def test_a_run_under_deepspeed_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(tmp_path):
    pytest.importorskip("deepspeed")
    settings = {"deepspeed": zero(3), "save_strategy": "steps", "save_steps": 6}
    _, whole = launch("dpo", tmp_path, **settings)
    _, resumed = launch("dpo", tmp_path, **settings, resume=str(tmp_path / "out" / "checkpoint-6"))
    for key, values in whole.items():
        assert resumed[key] == pytest.approx(values, rel=1e-4, abs=1e-5), key


def assert_as_alone(name, found, tmp_path):
    alone = tiny.trainer(name, tmp_path, num_train_epochs=2)
    alone.train()
    for key, values in found.items():
        assert values == pytest.approx(tiny.logged(alone, key), rel=1e-4, abs=1e-5), key
