"""Simulated trajectories, kept in the user's cache: one simulation serves every bench."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from mirrorpo import cache, files, versions
from mirrorpo.control import agents, data
from mirrorpo.control.tasks import Task


def cached(
    task: Task,
    rows: int,
    seed: int,
    better: str | Path,
    worse: str | Path,
    folder: Path | None = None,
    report: Callable[[str], None] = lambda doing: None,
) -> data.Pool:
    """The pool of these settings from the cache, simulated first where it is not there yet.

    The file's name is made from the task, the agents' checksums, rows, seed and the versions
    of the simulator, so a pool is never taken for another. An interrupted simulation goes on.
    """
    simulator = {
        name: version
        for name, version in versions.installed().items()
        if name in ("jax", "jaxlib", "brax", "mujoco")
    }
    identity = {
        "task": repr(task),
        "agents": [files.checksum(agents.find(name)) for name in (better, worse)],
        "rows": rows,
        "seed": seed,
        "simulator": simulator,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    path = (folder or cache.folder() / "pools") / f"{task.name}-{rows}-{digest}.safetensors"
    if path.is_file():
        return data.Pool.load(path)
    pool = data.simulate(
        task,
        rows,
        seed,
        better,
        worse,
        parts=path.with_suffix(".parts"),
        progress=lambda done, of: report(f"trajectories ({100 * done // of} %)"),
    )
    pool.save(path)
    return pool
