"""Runs that train agents one at a time: their curve and their returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirrorpo import files, runs
from mirrorpo.report.page.folders import Folder

_CURVES = ("chosen_log_prob", "rejected_log_prob", "margin", "loss")


@dataclass(frozen=True)
class TrainingPart:
    """A run of `mirrorpo agents train` or `mirrorpo train`.

    Attributes:
        folder: of the run.
        what: was trained, in words.
        caption: of its curves.
        argument: what the curves go along.
        points: of the curves: ``name``, ``x`` and ``y``.
        results: one agent each: seed, return_mean, return_standard_error, diverged.
        environment_steps: of training; None where it has none.
        seconds: of the run; None where it is not recorded.
    """

    folder: Folder
    what: str
    caption: str
    argument: str
    points: list[dict[str, Any]]
    results: list[Mapping[str, Any]]
    environment_steps: int | None
    seconds: float | None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def agents(self) -> int:
        return len(self.results) or 1

    @property
    def diverged(self) -> int:
        return sum(bool(result["diverged"]) for result in self.results)


def read(folder: Folder) -> TrainingPart:
    """A training run, finished or not.

    Raises:
        ValueError: its files are damaged.
    """
    lines = files.read_json_lines(folder.path / runs.METRICS)
    if folder.kind == "agents train":
        return TrainingPart(
            folder,
            f"PPO on {folder.settings['task']}",
            "True return by environment steps",
            "environment steps",
            [
                {"name": "true return", "x": line["environment_steps"], "y": line["return_mean"]}
                for line in lines
            ],
            [],
            lines[-1]["environment_steps"] if lines else 0,
            # The clock starts anew when a run is continued.
            sum(
                max(line["seconds"] - before["seconds"], 0.0)
                for before, line in zip([{"seconds": 0.0}, *lines], lines, strict=False)
            ),
        )
    path = folder.path / "results.json"
    return TrainingPart(
        folder,
        str(folder.settings["objective"]),
        "Training curves, the first agent's",
        "epoch",
        [
            {"name": name.replace("_", " "), "x": line["epoch"], "y": line[name]}
            for line in lines
            if line["seed"] == lines[0]["seed"]
            for name in _CURVES
        ],
        files.read_json(path, "results") if path.is_file() else [],
        None,
        None,
    )
