"""Which objectives a page's explorer offers, and which of their maps stand side by side."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from mirrorpo.report.labels import FOUND
from mirrorpo.report.page import explorer
from mirrorpo.report.page.reading import Parts
from mirrorpo.study import algorithms

_FIRST_SHOWN = ("dpo", "orpo")
_MOST_MAPS = 24


def offered(parts: Parts) -> tuple[list[explorer.Choice], list[tuple[str, int, int]]]:
    """What the explorer offers, and which of it stands side by side: label, choice, point.

    Objectives of the runs that are not in the zoo come first.
    """
    discovered = {
        f"{FOUND}{search.folder.name}": search.found.objective
        for search in parts.searches
        if search.found is not None
    }
    zoo = {choice.label: choice for choice in explorer.zoo()}
    others = {label: explorer.Choice(label, found, {}) for label, found in discovered.items()}
    measured: dict[str, tuple[str, dict[str, float]]] = {}
    for place in parts.places:
        name, values = place.algorithm, json.loads(place.cell.hyperparameters)
        known = zoo if name in zoo else others
        if name not in known:
            try:
                algorithm = algorithms.load(name)
            except ValueError:
                continue  # a user's file that is no longer there
            if algorithm.objective in discovered.values():
                continue  # measured from its file, and offered as what a search found
            known[name] = explorer.Choice(name, algorithm.objective, algorithm.search_grid)
        grid = explorer.including(known[name].grid, values)
        known[name] = dataclasses.replace(known[name], grid=grid, start=values)
        measured[f"{name} {place.hyperparameters}".strip()] = (name, values)
    choices = [*others.values(), *zoo.values()]
    index = {choice.label: position for position, choice in enumerate(choices)}
    compared = [(label, index[label], 0) for label in discovered]
    compared += [
        (label, index[name], _point(choices[index[name]], values))
        for label, (name, values) in measured.items()
    ]
    return choices, compared[:_MOST_MAPS]


def _point(choice: explorer.Choice, values: dict[str, float]) -> int:
    """The number of a combination in the order of the explorer's points."""
    position = 0
    middle = {name: offered[len(offered) // 2] for name, offered in choice.grid.items()}
    for name, offered in choice.grid.items():
        wanted = {**middle, **values}[name]
        position = position * len(offered) + list(offered).index(wanted)
    return position


def shown_first(parts: Parts, labels: Sequence[str]) -> list[int]:
    """The two choices that the explorer opens with: a discovery, a winner, or well-known ones."""
    first = [name for name in labels if name.startswith(FOUND)]
    first += [place.algorithm for place in parts.places if place.rank == 1]
    first += list(_FIRST_SHOWN)
    shown = [name for name in dict.fromkeys(first) if name in labels]
    return [labels.index(name) for name in shown[:2]]
