"""Hyper-parameters found by earlier searches, shipped with the package."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from mirrorpo import files
from mirrorpo.study.algorithms import Algorithm


def hyperparameters(task: str, variant: str, algorithm: Algorithm) -> dict[str, float]:
    """Values for the hyper-parameters that the user did not give.

    Where a search has covered the task, algorithm and variant, its choice; else the middle of
    the objective's search grid. An objective without a grid keeps its own values.
    """
    grid = algorithm.search_grid
    middle = {name: values[len(values) // 2] for name, values in grid.items()}
    found = _shipped(task).get(algorithm.text, {}).get(variant)
    if found is None or set(found) != set(middle):
        return middle
    return dict(found)


@cache
def _shipped(task: str) -> Mapping[str, Any]:
    assets = Path(str(resources.files("mirrorpo"))) / "assets" / "hyperparameters"
    path = assets / f"{task}.json"
    return files.read_json(path, "tuned hyper-parameters")["algorithms"] if path.is_file() else {}
