"""What a GPU is measured by: parts with a command and a limit each, in the order they run."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .process import PROBE
from .workload import Workload

ROOT = Path(__file__).parents[2]
POPULATIONS = (64, 256, 1024, 4096)
SMALL_LIMIT = 300.0
TRAINERS = ("mirrorpo", "textbook-jax")


@dataclass(frozen=True)
class Part:
    """One process.

    Attributes:
        name: unique.
        what, size, by: as in the other tables of speed.
        arguments: what Python is called with.
        limit: seconds.
    """

    name: str
    what: str
    size: str
    by: str
    arguments: tuple[str, ...]
    limit: float

    @property
    def command(self) -> Sequence[str]:
        return (sys.executable, *self.arguments)


def parts(small: bool) -> list[Part]:
    """All parts; `small` ones run on a CPU in under a minute together, and mean nothing."""
    found = [
        _probe("device", "device", "", "", 60, "devices"),
        _tests(small),
        *_training(small),
        *_evaluation(small),
        _generation(small),
        _language(small),
    ]
    # A test's machine may be busy with others.
    return [replace(part, limit=SMALL_LIMIT) for part in found] if small else found


def _probe(
    name: str, what: str, size: str, by: str, limit: float, probe: str, /, **settings: Any
) -> Part:
    arguments = (str(PROBE), probe, json.dumps(settings))
    return Part(name, what, size, by, arguments, limit)


def _tests(small: bool) -> Part:
    # The small form reads one folder alone: importing all tests takes longer than running these.
    folder = ROOT / "tests" / "gpu" if small else ROOT / "tests"
    options = ("-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT))
    return Part("tests", "tests", "marked gpu", "pytest", (*options, str(folder)), 120)


def _training(small: bool) -> list[Part]:
    matrix, seconds = (64, 0.05) if small else (8192, 5.0)
    size = f"{matrix} x {matrix}"
    found = [_probe("peak", "float32 peak", size, "", 60, "peak", size=matrix, seconds=seconds)]
    limits = dict(zip(POPULATIONS, (40, 40, 50, 60), strict=True))
    for agents in (2,) if small else POPULATIONS:
        work = Workload(agents, 8, 2, 20) if small else Workload(agents, 64, 16)
        for by in TRAINERS:
            found.append(
                _probe(
                    f"training-{agents}-{by}",
                    "training",
                    f"2 x {work.hidden}, {agents} agents",
                    by,
                    limits.get(agents, 40),
                    "train",
                    by=by,
                    least_seconds=0.0 if small else 1.0,
                    **asdict(work),
                )
            )
    return found


def _evaluation(small: bool) -> list[Part]:
    agents, episodes, steps = (2, 2, 4) if small else (256, 100, 100)
    size = f"{agents} agents x {episodes} episodes"
    shared = {"agents": agents, "episodes": episodes, "steps": steps, "least_seconds": 0.0}
    # "fast" is brax's point without physics: robots take minutes to compile on a CPU.
    robot = {"robot": "fast"} if small else {}
    found = [
        _probe(
            f"evaluation-{backend}",
            "evaluation",
            size,
            f"mirrorpo, {backend}",
            limit,
            "evaluate",
            by="mirrorpo",
            backend=backend,
            **shared,
            **robot,
        )
        for backend, limit in (("positional", 90), ("mjx", 120))
    ]
    warp = _probe(
        "evaluation-warp",
        "evaluation",
        size,
        "MuJoCo Warp, physics alone",
        90,
        "mjx-physics",
        implementation="warp",
        **shared,
    )
    return [*found, warp]


def _generation(small: bool) -> Part:
    size = "4 agents of a point" if small else "256 agents of the paper's size, Hopper"
    return _probe(
        "generation", "generation", size, "mirrorpo", 400, "whole-generation", small=small
    )


def _language(small: bool) -> Part:
    size = "a tiny random model" if small else "SmolLM2-135M, 60 steps, 128 continuations"
    return _probe("language", "language bench", size, "mirrorpo", 180, "language", small=small)
