"""Which objectives a page's explorer offers, and which of their maps stand side by side."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mirrorpo import bounded
from mirrorpo.discovery import shapes
from mirrorpo.objectives import Objective
from mirrorpo.reporting.labels import FOUND
from mirrorpo.reporting.page import explorer
from mirrorpo.reporting.page.explorer import Choice
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.study import algorithms

_FIRST_SHOWN = ("dpo", "orpo")
_MOST_MAPS = 24
_MOST_OTHERS = 100
"""Objectives of the runs that are not in the zoo."""

_MOST_ADDED = 400
"""Combinations of hyper-parameters that the values of all runs together add to the search grids.
Each costs time, memory and a place on the page; a report of dozens of runs has thousands."""


@lru_cache(maxsize=2)
def offered(parts: Parts) -> tuple[list[Choice], list[tuple[str, int, int]]]:
    """What the explorer offers, and which of it stands side by side: label, choice, point.

    Objectives of the runs that are not in the zoo come first. Those of a user's own code are
    there with the shape that their run recorded: no code is loaded.
    """
    discovered = {
        f"{FOUND}{search.folder.name}": search.found.objective
        for search in parts.searches
        if search.found is not None
    }
    zoo = {choice.label: choice for choice in explorer.zoo()}
    others = {label: Choice(label, found, {}) for label, found in discovered.items()}
    recorded = {
        (folder.name, text): shape
        for folder in parts.folders
        for text, shape in shapes.recall(folder.path).items()
    }
    measured: dict[str, tuple[str, dict[str, float]]] = {}
    spare = _MOST_ADDED
    for place in parts.places:
        name, values = place.algorithm, _values(place.cell.hyperparameters)
        known = zoo if name in zoo else others
        if name not in known:
            shape = recorded.get((place.run, name))
            choice = _other(name, shape, list(discovered.values()))
            if choice is None or len(others) >= _MOST_OTHERS:
                continue
            known[name] = choice
        including = _including(known[name], values)
        added = 0 if including is None else _points(including) - _points(known[name])
        if including is not None and added <= spare:
            spare -= added
            known[name] = including
            measured[f"{name} {place.hyperparameters}".strip()] = (name, values)
    _add_recorded(others, recorded)
    choices = [*others.values(), *zoo.values()]
    index = {choice.label: position for position, choice in enumerate(choices)}
    compared = [(label, index[label], 0) for label in discovered]
    compared += [
        (label, index[name], _point(choices[index[name]], values))
        for label, (name, values) in measured.items()
    ]
    return choices, compared[:_MOST_MAPS]


def shown_first(parts: Parts, labels: Sequence[str]) -> list[int]:
    """The two choices that the explorer opens with: a discovery, a winner, or well-known ones."""
    first = [name for name in labels if name.startswith(FOUND)]
    first += [place.algorithm for place in parts.places if place.rank == 1]
    first += list(_FIRST_SHOWN)
    shown = [name for name in dict.fromkeys(first) if name in labels]
    return [labels.index(name) for name in shown[:2]]


def _values(text: str) -> dict[str, Any]:
    """Hyper-parameters that a log holds as JSON text."""
    found = bounded.parse_json(text)
    if not isinstance(found, dict):
        raise ValueError(f"the hyper-parameters of an agent are {text!r:.60}")
    return found


def _other(name: str, shape: shapes.Shape | None, discovered: Sequence[Objective]) -> Choice | None:
    """A choice that is not in the zoo; None where no one may know what it does."""
    if shape is not None:
        return Choice(name, shape, shape.grid)
    try:
        # Of a log, so plain text: it names data, or a name, and never code.
        algorithm = algorithms.load(str(name))
    except (ValueError, OSError):
        return None
    if algorithm.objective in discovered:
        return None  # measured from its file, and offered as what a search found
    return Choice(name, algorithm.objective, algorithm.search_grid)


def _including(choice: Choice, values: Mapping[str, Any]) -> Choice | None:
    """The choice with these values, too; None where it cannot have them."""
    if isinstance(choice.objective, shapes.Shape):
        known = all(value in choice.grid.get(name, ()) for name, value in values.items())
        return dataclasses.replace(choice, start=values) if known else None
    try:
        dataclasses.replace(choice.objective, **values)
        grid = explorer.including(choice.grid, values)
    except (TypeError, ValueError):
        return None
    found = dataclasses.replace(choice, grid=grid, start=values)
    return found if _points(found) <= shapes.MOST_POINTS else None


def _points(choice: Choice) -> int:
    return math.prod(len(offered) for offered in choice.grid.values())


def _add_recorded(
    others: dict[str, Choice], recorded: Mapping[tuple[str, str], shapes.Shape]
) -> None:
    """Shapes of runs that have no place on the leaderboard."""
    for (_, text), shape in recorded.items():
        if text not in others and len(others) < _MOST_OTHERS:
            others[text] = Choice(text, shape, shape.grid)


def _point(choice: Choice, values: Mapping[str, Any]) -> int:
    """The number of a combination in the order of the explorer's points."""
    position = 0
    middle = {name: offered[len(offered) // 2] for name, offered in choice.grid.items()}
    for name, offered in choice.grid.items():
        wanted = {**middle, **values}[name]
        position = position * len(offered) + list(offered).index(wanted)
    return position
