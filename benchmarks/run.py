"""Speed and memory of the hot loops, beside what a user would write or pick instead.

    python benchmarks/run.py            # everything, on a quiet machine
    python benchmarks/run.py --quick    # tiny sizes: does it run?

What each line means: docs/performance.md.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tyro
from speed.arithmetic import matrix_flops
from speed.workload import Workload

from mirrorpo import files, versions

PROBE = Path(__file__).parent / "speed" / "probe.py"
TEXTBOOK = ("mirrorpo", "textbook-jax", "torch-vmap", "torch-loop")


@dataclass(frozen=True)
class Sizes:
    """How large the measurements are.

    Attributes:
        populations: agents trained at once.
        hidden: units of each of the two hidden layers.
        agent_steps: about how many a measurement takes; each agent takes 4 at least.
        time_steps: of each trajectory.
        matrix: side of the square matrices of the peak.
        matrix_seconds: for each library that tries it.
        evaluated: agents of the evaluations.
        episodes: of each agent in the evaluations.
        episode_steps: of each episode.
        rows: of the data, where memory is measured against it.
        memory_populations: agents, where memory is measured against them.
        repeats: of each measurement, the fastest counts.
    """

    populations: tuple[int, ...] = (1, 16, 64, 256)
    hidden: tuple[int, ...] = (64, 256)
    agent_steps: int = 512
    time_steps: int = 1000
    matrix: int = 2048
    matrix_seconds: float = 5.0
    evaluated: tuple[int, ...] = (1, 64)
    episodes: int = 50
    episode_steps: int = 200
    rows: tuple[int, ...] = (64, 256, 1024)
    memory_populations: tuple[int, ...] = (1, 16, 64, 256)
    repeats: int = 3


QUICK = Sizes(
    populations=(1, 2),
    hidden=(8,),
    agent_steps=8,
    time_steps=20,
    matrix=64,
    matrix_seconds=0.05,
    evaluated=(2,),
    episodes=2,
    episode_steps=4,
    rows=(8,),
    memory_populations=(2,),
    repeats=1,
)


def main(quick: bool = False, out: Path | None = None) -> None:
    """Measure, print a table, and keep it with a description of the machine.

    Args:
        quick: tiny sizes, to see that everything runs; its figures mean nothing.
        out: folder for benchmarks.json and table.md; nothing is kept without it.
    """
    sizes = QUICK if quick else Sizes()
    lines: list[dict[str, Any]] = []
    parts = (training, evaluating, starting, memory)
    for line in (line for part in parts for line in part(sizes)):
        lines.append(line)
        print(as_text(line), flush=True)
    if out is not None:
        content = {
            "machine": versions.machine(),
            "versions": versions.installed(language=True),
            "git_commit": versions.git_commit(),
            "sizes": asdict(sizes),
            "lines": lines,
        }
        files.write_json(out / "benchmarks.json", content)
        table = "\n".join(f"| {' | '.join(cells(line))} |" for line in lines)
        head = "| what | size | by | figures |\n| --- | --- | --- | --- |"
        files.write_text(out / "table.md", f"{head}\n{table}\n")


def training(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """(a) Agent-steps a second, ratios to the others, and the share of the matrix peak."""
    peak = probe("peak", size=sizes.matrix, seconds=sizes.matrix_seconds)
    yield {"what": "float32 peak", "size": f"{sizes.matrix} x {sizes.matrix}", "by": "", **peak}
    for hidden in sizes.hidden:
        for agents in sizes.populations:
            steps = max(4, sizes.agent_steps // agents)
            work = Workload(agents, hidden, steps, sizes.time_steps)
            ours: float | None = None
            for by in TEXTBOOK:
                found = probe("train", by=by, repeats=sizes.repeats, **asdict(work))
                rate = found.get("agent_steps_a_second")
                if rate is not None:
                    found["gflops_a_second"] = rate * matrix_flops(work) / 1e9
                    if "gflops_a_second" in peak:
                        found["share_of_peak"] = found["gflops_a_second"] / peak["gflops_a_second"]
                    ours = rate if by == "mirrorpo" else ours
                    if ours is not None:
                        found["mirrorpo_is_times_faster"] = ours / rate
                size = f"2 x {hidden}, {agents} agents"
                yield {"what": "training", "size": size, "by": by, **found}


def evaluating(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """(b) Environment steps a second of a population's evaluation."""
    for agents in sizes.evaluated:
        ours: float | None = None
        for by in ("mirrorpo", "brax"):
            found = probe(
                "evaluate",
                by=by,
                agents=agents,
                episodes=sizes.episodes,
                steps=sizes.episode_steps,
                repeats=sizes.repeats,
            )
            rate = found.get("steps_a_second")
            if rate is not None:
                ours = rate if by == "mirrorpo" else ours
                if ours is not None:
                    found["mirrorpo_is_times_faster"] = ours / rate
            size = f"{agents} agents x {sizes.episodes} episodes"
            yield {"what": "evaluation", "size": size, "by": by, **found}


def starting(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """(d) From nothing to results, with an empty cache and again with what it then holds."""
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            found = probe(
                "first-results",
                cache=cache,
                time_steps=sizes.time_steps,
                episodes=sizes.episodes,
                steps=sizes.episode_steps,
            )
            yield {"what": "start-up", "size": f"{state} cache", "by": "mirrorpo", **found}


def memory(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """(e) Peak memory of training, against rows and against the population."""
    base = {"by": "mirrorpo", "repeats": 1, "hidden": 64, "time_steps": sizes.time_steps}
    for rows in sizes.rows:
        found = probe("train", agents=2, gradient_steps=rows // 2, **base)
        yield {"what": "memory", "size": f"2 agents, {rows} rows", "by": "mirrorpo", **found}
    for agents in sizes.memory_populations:
        found = probe("train", agents=agents, gradient_steps=4, **base)
        yield {"what": "memory", "size": f"{agents} agents, 8 rows", "by": "mirrorpo", **found}


def probe(name: str, cache: str | None = None, **settings: Any) -> dict[str, Any]:
    """What `speed/probe.py` measures, or a note that says why there is no figure."""
    if str(settings.get("by")).startswith("torch") and find_spec("torch") is None:
        return {"note": "PyTorch is not installed"}
    environment = dict(os.environ)
    if cache is not None:
        environment.pop("MIRRORPO_CACHE", None)
        environment["XDG_CACHE_HOME"] = cache
    done = subprocess.run(
        [sys.executable, str(PROBE), name, json.dumps(settings)],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"note": f"failed with code {done.returncode}: {reason}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cells(line: dict[str, Any]) -> tuple[str, str, str, str]:
    """What was measured, its size, by what, and the figures."""
    names = [name for name in line if name not in ("what", "size", "by")]
    figures = ", ".join(f"{name.replace('_', ' ')}: {_number(line[name])}" for name in names)
    return line["what"], line["size"], line["by"], figures


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_text(line: dict[str, Any]) -> str:
    what, size, by, figures = cells(line)
    return f"{what:<13} {size:<26} {by:<13} {figures}"


if __name__ == "__main__":
    tyro.cli(main)
