"""Runs of PPO on two CPU devices beside a load that keeps every core busy: all must come to an end.

python -m tests.reliability.ppo_beside_load --task hopper --runs 5 --steps 40000

All runs are of one process, which XLA would end if its devices waited for each other too long.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro

ROOT = Path(__file__).parents[2]
_RUNS = """
import sys, time
from pathlib import Path
from tests import point_task
from mirrorpo.cli import main
task, steps, *seeds = sys.argv[1:]
for seed in seeds:
    began = time.monotonic()
    main(["agents", "train", task, "--total-steps", steps, "--environments", "64",
          "--rollout-steps", "16", "--minibatches", "4", "--epochs", "2",
          "--evaluate-every", str(int(steps) // 4), "--seed", seed, "--out", f"{task}-{seed}"])
    print(f"ended: {task}, seed {seed}, {time.monotonic() - began:.0f} s", flush=True)
"""


@contextlib.contextmanager
def busy(processes: int):
    """Keep so many cores busy."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def ended(task: str, runs: int, steps: int, load: int, folder: Path) -> int:
    """How many of the runs came to their end.

    Args:
        task: that the agents learn.
        runs: the number of PPO runs, by seed.
        steps: the number per run.
        load: processes beside them that do nothing but compute.
        folder: to work in.

    Raises:
        RuntimeError: the process of the runs failed, with what it said.
    """
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with busy(load):
        done = subprocess.run(
            [sys.executable, "-c", _RUNS, task, str(steps), *map(str, range(runs))],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "JAX_NUM_CPU_DEVICES": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ended: ")]
    print(*lines, sep="\n", flush=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stdout[-2000:]}")
    return len(lines)


def main(task: str = "point", runs: int = 15, steps: int = 65_536, load: int = 2) -> None:
    """Train beside a load.

    Args:
        task: that the agents learn: point, or a robot, whose programs take minutes to compile.
        runs: the number of PPO runs.
        steps: the number per run.
        load: processes beside them that do nothing but compute.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        count = ended(task, runs, steps, load, Path(folder))
    minutes = (time.monotonic() - began) / 60
    print(f"{count} of {runs} runs of {steps:,} steps on {task} ended, in {minutes:.1f} min.")
    if count < runs:
        sys.exit(1)


if __name__ == "__main__":
    tyro.cli(main)
