"""Files of evidence: those that come with the package, and tables of benches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo import bounded, files, typed
from mirrorpo.advising.evidence import Evidence, of_agents, of_table
from mirrorpo.text_tasks import OLD_REVIEWS, REVIEWS

_TEXTS = ("task", "variant", "algorithm")
_NUMBERS = ("agents", "normalised", "normalised_error")
_NEEDED = (*_TEXTS, *_NUMBERS, "run")


def robots() -> Evidence:
    """What was measured on robots: one row per trained agent, made by docs/hooks/evidence.py."""
    return of_agents(pd.read_csv(shipped("robots")))


def texts() -> Evidence:
    """What was measured on a small language model: one row per trained agent."""
    return of_agents(pd.read_csv(shipped("texts")))


def shipped(what: str) -> Path:
    """The file that comes with the package: of agents of "robots" or "texts"."""
    return files.asset("bench", f"{what}.csv")


def _read(path: Path) -> pd.DataFrame:
    """A table whose columns are of the kinds that `of_table` computes with.

    Raises:
        ValueError: it is not; the message does not name the file.
    """
    frame = pd.read_csv(path)
    if missing := [name for name in _NEEDED if name not in frame.columns]:
        raise ValueError(f"it has no column {', '.join(missing)}")
    for name in _TEXTS:
        wrong = [value for value in frame[name] if not isinstance(value, str)]
        if wrong:
            raise ValueError(f"{name} is {wrong[0]!r:.40}, but must be a text")
    for name in _NUMBERS:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        wrong = [*frame[name][numbers.isna() & frame[name].notna()]]
        if wrong:
            raise ValueError(f"{name} is {wrong[0]!r:.40}, but must be a number")
        frame[name] = numbers.astype(float)
    if not np.isfinite(frame.agents).all():
        raise ValueError("agents is not a number in every row")
    for text in frame.get("hyperparameters", ()):
        if isinstance(text, str):
            typed.check(bounded.parse_json(text), Mapping[str, float | str], "hyperparameters")
    return frame


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
        try:
            frames.append(_read(path))
        except ValueError as error:
            said = " ".join(str(error).split())
            raise ValueError(
                f"{path} is not a table of results: {said:.200}. "
                "`mirrorpo report RUN` writes one, tables/results.csv."
            ) from None
    if not frames:
        raise ValueError("No table of results is given.")
    together = pd.concat(frames, ignore_index=True)
    return of_table(together.assign(task=together.task.replace(OLD_REVIEWS, REVIEWS)))
