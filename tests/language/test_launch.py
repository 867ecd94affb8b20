"""Two processes train as one does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import tiny

pytest.importorskip("torch")
pytest.importorskip("trl")

ROOT = Path(__file__).parents[2]
JOB = """
import json, sys
import torch
torch.set_num_threads(1)
from tests.language import tiny
made = tiny.trainer(sys.argv[1], sys.argv[2], num_train_epochs=2, per_device_train_batch_size=1)
made.train()
if made.is_world_process_zero():
    names = ("loss", "loss/preference", "logps/chosen", "margin", "accuracy")
    print("LOGGED " + json.dumps({name: tiny.logged(made, name) for name in names}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ta-mpo", "dpo"])
def test_two_processes_train_as_one(name, tmp_path):
    job = tmp_path / "job.py"
    job.write_text(JOB)
    # What `accelerate launch` starts for several GPUs; without one, it starts one process only.
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launched = subprocess.run(
        [*launcher, "--nproc_per_node", "2", str(job), name, str(tmp_path / "out")],
        env={
            "PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = [line for line in launched.stdout.splitlines() if line.startswith("LOGGED ")]
    assert launched.returncode == 0, launched.stderr[-2000:]
    found = json.loads(lines[0].removeprefix("LOGGED "))
    alone = tiny.trainer(name, tmp_path, num_train_epochs=2)
    alone.train()
    for key, values in found.items():
        assert values == pytest.approx(tiny.logged(alone, key), rel=1e-4, abs=1e-5), key
