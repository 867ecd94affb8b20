"""A search on a Ray cluster under faults: its workers are killed again and again, its driver once.

python -m tests.reliability.ray_faults --generations 400 --kill-every 25 --kills 36

It must find what the same search finds undisturbed in one process, bit for bit. The cluster is
real, of two workers on this machine; the task is the point of `tests.point_task`, and training is
so rough that some agents diverge.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro

from mirrorpo import divergence
from tests.reliability import commands

ROOT = Path(__file__).parents[2]
_PATIENCE = 4 * 3600.0


@dataclass
class Found:
    """What became of a disturbed search.

    Attributes:
        generations: the length of the search.
        minutes: that the disturbed run took.
        killed: workers that died of SIGKILL.
        driver_killed: after how many generations the driver died of it, each time.
        agents: that both runs trained for the search.
        diverged: how many of these diverged.
        wrong: how its end differs from an undisturbed run's; empty if it does not.
    """

    generations: int
    minutes: float = 0.0
    killed: int = 0
    driver_killed: list[int] = field(default_factory=list)
    agents: int = 0
    diverged: int = 0
    wrong: list[str] = field(default_factory=list)


def disturb(
    folder: Path, generations: int, kill_every: float, seed: int = 0, most: int = sys.maxsize
) -> Found:
    """Run a search undisturbed, and again under faults, and compare.

    Args:
        folder: to work in.
        generations: the length of the search.
        kill_every: mean seconds between two kills of a worker.
        seed: the seed of the faults.
        most: workers to kill at most.
    """
    draw, found = random.Random(seed), Found(generations)
    # Files of agents are written in a process of its own: this one needs no JAX.
    script = "from pathlib import Path; from tests import point_task as p; p.write_agents(Path())"
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=_environment(folder), check=True)
    words = _words(folder, generations)
    ended = _start(folder, [*words, "--out", "whole"]).wait(_PATIENCE)
    if ended not in (0, divergence.EXIT_CODE):
        raise RuntimeError(f"The undisturbed search failed: {_said(folder)}")
    disturbed = [*words, "--out", "disturbed", "--ray", "local:2"]
    began = time.monotonic()
    driver = _start(folder, disturbed)
    killed: set[int] = set()
    next_kill = time.monotonic() + kill_every
    while driver.poll() is None:
        time.sleep(0.2)
        if time.monotonic() - began > _PATIENCE:
            driver.kill()
            found.wrong.append(f"it did not end in {_PATIENCE:.0f} s")
        done = _generations(folder / "disturbed")
        if not found.driver_killed and done >= generations // 2:
            driver.kill()
            driver.wait()
            found.driver_killed.append(done)
            driver = _start(folder, disturbed)
        if time.monotonic() < next_kill or len(killed) == most:
            continue
        alive = [worker for worker in workers_of(driver.pid) if worker not in killed]
        if alive:
            chosen = draw.choice(alive)
            os.kill(chosen, signal.SIGKILL)
            killed.add(chosen)
            next_kill = time.monotonic() + kill_every * draw.uniform(0.5, 1.5)
    found.minutes = round((time.monotonic() - began) / 60, 1)
    found.killed = len(killed)
    if driver.returncode != ended:
        found.wrong.append(f"it ended with {driver.returncode}: {_said(folder)}")
        return found
    wanted, got = (commands.discovered(folder / name) for name in ("whole", "disturbed"))
    found.wrong += [f"{name} differs" for name in wanted if got[name] != wanted[name]]
    for row in wanted["metrics"]:
        found.agents += len(row["fitness"])
        found.diverged += row["diverged"]
    return found


def _words(folder: Path, generations: int) -> list[str]:
    return [
        *("discover", "--task", "point", "--variants", "base", "--learn", "link"),
        *("--generations", str(generations), "--population", "4", "--sigma", "0.5"),
        *("--rows", "40", "--minibatch", "20", "--epochs", "2", "--time-steps", "8"),
        *("--episodes", "4", "--learning-rate", "2e37", "--validate-every", str(generations)),
        *("--validation-seeds", "1", "--validation-rows", "40", "--validation-time-steps", "8"),
        *("--validation-episodes", "4"),
        *("--better", str(folder / "first.safetensors")),
        *("--worse", str(folder / "second.safetensors")),
    ]


def _start(folder: Path, words: list[str]) -> subprocess.Popen:
    """The command, in a process of its own whose workers know the task."""
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.ray_driver", *words],
            cwd=folder,
            env=_environment(folder),
            stdout=said,
            stderr=said,
        )


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "MIRRORPO_CACHE": str(folder / "cache")}


def workers_of(driver: int) -> list[int]:
    """Processes of the driver's cluster that train, or are about to."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                title = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            parents[int(entry.name)], titles[int(entry.name)] = int(stat[1]), title

    def is_of_driver(process: int) -> bool:
        while process in parents and process != driver:
            process = parents[process]
        return process == driver

    return [
        process
        for process, title in sorted(titles.items())
        if title.startswith("ray::") and "Actor" in title and is_of_driver(process)
    ]


def _generations(run: Path) -> int:
    log = run / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _said(folder: Path) -> str:
    return (folder / "said.txt").read_text(errors="replace")[-600:]


def main(
    generations: int = 400,
    kill_every: float = 25.0,
    kills: int = 36,
    seed: int = 0,
    folder: Path | None = None,
) -> None:
    """Disturb a search on Ray, and compare it with an undisturbed one.

    Args:
        generations: the length of the search.
        kill_every: mean seconds between two kills of a worker.
        kills: workers to kill at most; then the search may come to its end undisturbed.
        seed: the seed of the faults.
        folder: to work in; a temporary one by default, kept if something was wrong.
    """
    work = folder or Path(tempfile.mkdtemp(prefix="mirrorpo-ray-"))
    work.mkdir(parents=True, exist_ok=True)
    found = disturb(work, generations, kill_every, seed, kills)
    print(json.dumps(asdict(found)))
    if found.wrong:
        sys.exit(1)
    shutil.rmtree(work)


if __name__ == "__main__":
    tyro.cli(main)
