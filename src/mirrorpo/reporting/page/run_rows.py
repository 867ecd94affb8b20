"""The page's table of runs: how far each is, what it cost, and what made it."""

import json
from typing import Any

from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.study.tables import NOT_RUN

_MOST_LETTERS = 20_000


def row(parts: Parts, folder: Folder) -> dict[str, Any]:
    """What the template shows of one run."""
    found: dict[str, Any] = {
        "name": folder.name,
        "kind": folder.kind,
        "finished": True,
        "state": "",
        "agents": NOT_RUN,
        "diverged": NOT_RUN,
        "time": NOT_RUN,
        "steps": NOT_RUN,
        "command": _short(folder.command or ""),
        "settings": _short(json.dumps(folder.settings)),
        "versions": list(folder.versions.items()),
        "commit": folder.commit,
        "machine": ", ".join(
            f"{value} cores" if name == "cores" else str(value)
            for name, value in folder.machine.items()
            if value
        ),
    }
    if folder.damage is not None:
        found["finished"] = False
        found["state"] = f"damaged: {folder.damage}"
    for bench in parts.benches:
        if bench.folder is folder:
            found["finished"] = bench.finished
            found["state"] = f"unfinished: {len(bench.final)} of {bench.expected} agents"
            found["agents"] = f"{len(bench.run.agents):,}"
            found["diverged"] = str(int(bench.run.agents.diverged.sum()))
            found["time"] = _clock(bench.seconds)
            if bench.environment_steps is not None:
                found["steps"] = f"{bench.environment_steps:,}"
    for search in parts.searches:
        if search.folder is folder:
            total = folder.settings["generations"]
            found["finished"] = search.finished
            found["state"] = f"unfinished: {len(search.generations)} of {total} generations"
            found["agents"] = f"{search.agents:,}"
            found["diverged"] = str(search.diverged)
            found["time"] = _clock(search.seconds)
            found["steps"] = f"{search.environment_steps:,}"
    for training in parts.trainings:
        if training.folder is folder:
            found["agents"] = str(training.agents)
            found["diverged"] = str(training.diverged)
            found["finished"] = training.finished
            found["state"] = training.state
            if training.seconds is not None:
                found["time"] = _clock(training.seconds)
            if training.environment_steps is not None:
                found["steps"] = f"{training.environment_steps:,}"
    for judged in parts.judgements:
        if judged.folder is folder:
            found["finished"] = judged.finished
            found["state"] = "unfinished"
    return found


def _short(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
