"""Hyper-parameters found by earlier searches, shipped with the package."""

from collections.abc import Mapping
from functools import cache

import pandas as pd

from mirrorpo import bounded, files
from mirrorpo.objectives import naming
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.phases import FINAL


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


def found(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """What a bench's search chose: algorithm -> variant -> hyper-parameters.

    `frame` has one row per trained agent, as `records.BenchLog.frame` gives it.
    """
    final = frame[frame.phase == FINAL]
    chosen: dict[str, dict[str, dict[str, float]]] = {}
    for (algorithm, variant), cell in final.groupby(["algorithm", "variant"]):
        values = bounded.parse_json(cell.hyperparameters.iloc[0])
        if values:
            chosen.setdefault(str(algorithm), {})[str(variant)] = values
    return chosen


@cache
def _shipped(task: str) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Hyper-parameters of the agents that come with the package, see docs/recommend.md.

    Where there are several sizes of the data, they are those of the largest.
    """
    file = files.asset("bench", "robots.csv")
    rows = pd.read_csv(file, usecols=["task", "variant", "pairs", "algorithm", "text"])
    rows = rows[rows.task == task].drop_duplicates().sort_values("pairs", ascending=False)
    chosen: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows.itertuples():
        values = {
            name: value
            for name, value in naming.parse(row.text).values.items()
            if isinstance(value, float)
        }
        chosen.setdefault(row.algorithm, {}).setdefault(row.variant, values)
    return chosen
