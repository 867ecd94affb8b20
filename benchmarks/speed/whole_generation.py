"""A generation of a search at the paper's size (Table 8), as the search itself does it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mirrorpo import json_lines, runs
from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution import executor

from .small_task import point

_SMALL = {"population": 4, "rows": 8, "epochs": 2, "time_steps": 8, "episodes": 2}


class _Enough(Exception):
    """Two generations are done."""


def measure(small: bool) -> Iterator[dict[str, Any]]:
    """Seconds of the first generation, which compiles, and then of the second.

    Args:
        small: a few agents on a point without physics, in place of 256 agents that train on the
            paper's number of pairs and are scored by 100 trajectories each, on Hopper.

    Yields:
        The row of each generation, once it is done.
    """
    with tempfile.TemporaryDirectory() as folder:
        size = {**_SMALL, **point(Path(folder))} if small else {"protocol": "paper"}
        # No validation between the generations that are measured, and a short one before them.
        settings = DiscoverySettings(
            generations=3,
            validate_every=3,
            validation_seeds=1,
            validation_rows=8,
            validation_time_steps=8,
            validation_episodes=2,
            **size,
        )
        for generations in (1, 2):
            yield from _until(generations, settings, Path(folder) / "search")


def _until(generations: int, settings: DiscoverySettings, out: Path) -> Iterator[dict[str, Any]]:
    """Begin the search, or resume it in the same process, until so many generations are done."""

    def stop(done: float, total: float, doing: str) -> None:
        if done >= generations:
            raise _Enough

    try:
        with executor.workplace(None) as place:
            search.discover(settings, out, stop, place=place)
    except _Enough:
        pass
    row = json_lines.read(out / runs.METRICS)[generations - 1]
    trained, evaluated = row["train_seconds"], row["evaluate_seconds"]
    yield {
        "by": f"generation {generations}" + (", with compilation" if generations == 1 else ""),
        "generation_seconds": row["seconds"],
        "training_seconds": trained,
        "evaluation_seconds": evaluated,
        "rest_seconds": row["seconds"] - trained - evaluated,
        "agents_a_minute": 60 * (settings.population + 2) / row["seconds"],
        "pairs": settings.rows or "the paper's",
        "episodes_an_agent": settings.episodes,
    }
