"""Files of evidence: those that come with the package, and tables of benches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mirrorpo import bounded, files
from mirrorpo.advising.evidence import Evidence, of_agents, of_table
from mirrorpo.text_tasks import OLD_REVIEWS, REVIEWS

_NEEDED = ("task", "variant", "algorithm", "agents", "normalised", "normalised_error", "run")


def robots() -> Evidence:
    """What was measured on robots: one row per trained agent, made by docs/hooks/evidence.py."""
    return of_agents(pd.read_csv(shipped("robots")))


def texts() -> Evidence:
    """What was measured on a small language model, likewise."""
    return of_agents(pd.read_csv(shipped("texts")))


def shipped(what: str) -> Path:
    """The file that comes with the package: of agents of "robots" or "texts"."""
    return files.asset("bench", f"{what}.csv")


def tables(paths: Sequence[Path]) -> Evidence:
    """Evidence from tables of results, tables/results.csv of `mirrorpo report`.

    Raises:
        ValueError: a file that is missing or no such table, or nothing usable in them.
    """
    frames = []
    for path in paths:
        if not path.is_file():
            raise ValueError(f"No table of results at {path}: the file does not exist.")
        bounded.check_size(path, "a table of results", bounded.TABLE)
        frame = pd.read_csv(path)
        missing = [name for name in _NEEDED if name not in frame.columns]
        if missing:
            raise ValueError(
                f"{path} is not a table of results: it has no column {', '.join(missing)}. "
                "`mirrorpo report RUN` writes one, tables/results.csv."
            )
        frames.append(frame)
    if not frames:
        raise ValueError("No table of results is given.")
    together = pd.concat(frames, ignore_index=True)
    return of_table(together.assign(task=together.task.replace(OLD_REVIEWS, REVIEWS)))
