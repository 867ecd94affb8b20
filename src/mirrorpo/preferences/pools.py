"""Simulated trajectories, kept in the user's cache: one simulation serves all that need it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from mirrorpo import files, versions
from mirrorpo.agents import files as agent_files
from mirrorpo.preferences import data
from mirrorpo.runtime import cache
from mirrorpo.simulation.tasks import Task


def in_words(report: Callable[[str], None]) -> Callable[[int, int], None]:
    """A `progress` of `cached` that tells `report` what is being done, in words."""
    return lambda done, of: report(f"trajectories ({100 * done // of} %)")


def cached(
    task: Task,
    rows: int,
    seed: int,
    better: str | Path,
    worse: str | Path,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> data.Pool:
    """The pool of these settings from the cache, simulated first where it is not there yet.

    The file's name is made from the task, the agents' checksums, rows, seed and the versions
    of the simulator, so a pool is never taken for another. An interrupted simulation goes on.
    `progress` is called after each part of a simulation.
    """
    simulator = {
        name: version
        for name, version in versions.installed().items()
        if name in ("jax", "jaxlib", "brax", "mujoco")
    }
    identity = {
        "task": repr(task),
        "agents": [files.checksum(agent_files.find(name)) for name in (better, worse)],
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
        progress=progress,
    )
    pool.save(path)
    return pool
