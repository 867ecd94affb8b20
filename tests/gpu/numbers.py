"""Numbers of a training and of an evaluation on the device that JAX has by default.

`python -m tests.gpu.numbers FILE` writes them to a file.
"""

import sys
from pathlib import Path

import jax
import numpy as np
from benchmarks.speed import mirrorpo_learner, workload

from mirrorpo.runtime.start import start_jax
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.policy import new_policy
from tests import point_task


def compute() -> dict[str, np.ndarray]:
    """Parameters of three trained agents, how far they moved, and returns of two on the point."""
    work = workload.Workload(agents=3, hidden=8, gradient_steps=6, time_steps=20)
    start = workload.start(work)
    trained = mirrorpo_learner.trainer(work, workload.pairs(work), start)()
    found = {name: np.asarray(value) - start[name] for name, value in trained.items()}
    zeros = np.zeros(2, np.float32)
    keys = jax.random.split(jax.random.key(0), 2)
    policies = jax.vmap(lambda key: new_policy(key, 1, zeros, zeros + 1, (8,)))(keys)
    task = tasks.load(point_task.NAME, episode_length=40)
    return {**found, "returns": np.asarray(evaluation.returns(policies, task, 4))}


if __name__ == "__main__":
    start_jax()
    np.savez(Path(sys.argv[1]), **compute())
