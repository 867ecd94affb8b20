"""Simulated trajectories, kept in the user's cache: one simulation serves all that need it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from mirrorpo import damage, files, locks, task_names, versions
from mirrorpo.agents import agent_files
from mirrorpo.preferences import data
from mirrorpo.runtime import cache
from mirrorpo.runtime.devices import PORTABLE_CODE
from mirrorpo.simulation.tasks import AnyTask


def in_words(report: Callable[[str], None]) -> Callable[[int, int], None]:
    """A `progress` of `cached` that tells `report` what is being done, in words."""
    return lambda done, of: report(f"trajectories ({100 * done // of} %)")


def in_line(report: Callable[[str], None]) -> Callable[[str], None]:
    """A `waiting` of `cached` that tells `report` who is waited for, in words."""
    return lambda holder: report(f"waiting for the trajectories of {holder}")


_POOLS = "pools"


def cached(
    task: AnyTask,
    rows: int,
    seed: int,
    better: str | Path,
    worse: str | Path,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    waiting: Callable[[str], None] = lambda holder: None,
) -> data.Pool:
    """The pool of these settings from the cache, simulated first where it is not there yet.

    The file's name is made from the task, the agents' checksums, rows, seed, the versions of the
    simulator and how its programs are compiled, so a pool is never taken for another. An
    interrupted simulation resumes; one that another process is at is waited for. A pool or a part
    that is damaged is said and made again. `folder` is one of pools, or a cache that has them in
    pools/; None for the user's cache.
    `progress` is called after each part of a simulation, `waiting` with who is waited for.
    """
    counted = ["jax", "jaxlib", "brax", "mujoco"]
    if task_names.origin(task.name) is not task_names.Origin.OWN:
        counted += versions.SIMULATORS
    simulator = {name: version for name, version in versions.installed().items() if name in counted}
    identity = {
        "task": repr(task),
        "agents": [agent_files.source_checksum(name) for name in (better, worse)],
        "rows": rows,
        "seed": seed,
        "simulator": simulator,
        "code": PORTABLE_CODE,
    }
    digits = files.digest(identity)[:16]
    name = f"{files.file_name(task.name)}-{rows}-{digits}.safetensors"
    path = _place(name, folder)
    parts = path.with_suffix(".parts")
    pool = _load(path)
    if pool is not None and not parts.exists() and not [*path.parent.glob(f".{path.stem}.*")]:
        return pool
    files.make_folder(path.parent)
    with locks.alone(path, waiting):
        pool = _load(path)  # which the process that was waited for has made
        files.remove_leftovers(path.parent, path.stem)
        if pool is None:
            pool = data.simulate(task, rows, seed, better, worse, parts, progress)
            pool.save(path)
        shutil.rmtree(parts, ignore_errors=True)
    return pool


def _place(name: str, folder: Path | None) -> Path:
    """A pool's path; a folder that is a whole cache, as the user's own, holds it in pools/."""
    if folder is None:
        return cache.folder() / _POOLS / name
    inside = folder / _POOLS / name
    return inside if inside.is_file() else folder / name


def _load(path: Path) -> data.Pool | None:
    """A pool of the cache; None where it is not there, or is damaged."""
    if not path.is_file():
        return None
    try:
        return data.Pool.load(path)
    except ValueError as error:
        damage.say(f"{error} It is simulated again.")
        return None
