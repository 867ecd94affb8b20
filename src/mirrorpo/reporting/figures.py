"""The figures of a report, by the part of it that they show.

Another figure is a function that `register` names: the report draws it for each such part, and
`mirrorpo report` writes it as a file.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from matplotlib.figure import Figure

from mirrorpo.discovery.gradient_map import gradient_map
from mirrorpo.discovery.member_functions import member_functions
from mirrorpo.objectives import MirrorObjective
from mirrorpo.reporting import explain_plots, run_plots
from mirrorpo.reporting.page.benches import BenchPart
from mirrorpo.reporting.page.searches import SearchPart
from mirrorpo.reporting.page.trainings import TrainingPart

Part = TypeVar("Part", BenchPart, SearchPart, TrainingPart)
Draw = Callable[[Part], Figure | None]
"""Draws a part of a report; None where the part has nothing to show."""

_FIGURES: dict[type, dict[str, Callable[[Any], Figure | None]]] = {}


def register(part: type[Part], name: str) -> Callable[[Draw[Part]], Draw[Part]]:
    """Add a figure; decorates the function that draws it.

    Args:
        part: `BenchPart`, `SearchPart` or `TrainingPart`.
        name: the end of its files' names, RUN-NAME.png and RUN-NAME.svg.

    Raises:
        ValueError: such parts have a figure of that name.
    """
    known = _FIGURES.setdefault(part, {})
    if name in known:
        raise ValueError(f"A figure named {name!r} is registered already.")

    def add(draw: Draw[Part]) -> Draw[Part]:
        known[name] = draw
        return draw

    return add


def of(part: BenchPart | SearchPart | TrainingPart) -> dict[str, Callable[[], Figure | None]]:
    """What draws the figures of a part, by their names."""
    return {name: partial(draw, part) for name, draw in _FIGURES.get(type(part), {}).items()}


@register(BenchPart, "agents")
def _agents(bench: BenchPart) -> Figure | None:
    return run_plots.every_agent(bench) if bench.run.table.cells else None


@register(BenchPart, "curves")
def _curves(bench: BenchPart) -> Figure | None:
    has_curves = bench.run.table.cells and bench.curves
    return run_plots.training_curves(bench) if has_curves else None


@register(SearchPart, "fitness")
def _fitness(search: SearchPart) -> Figure | None:
    if not search.generations:
        return None
    return run_plots.fitness(search.generations, search.validations)


@register(SearchPart, "gradient-map")
def _gradient_map(search: SearchPart) -> Figure | None:
    if search.found is None:
        return None
    objective, visited = search.found.objective, search.found.visited
    maps = [gradient_map(objective, visited)]
    return explain_plots.gradient_maps(maps, visited, search.folder.name)


@register(SearchPart, "functions")
def _functions(search: SearchPart) -> Figure | None:
    if search.found is None or not isinstance(search.found.objective, MirrorObjective):
        return None
    visited = search.found.visited
    curves = member_functions(search.found.objective, visited)
    return explain_plots.functions(curves, visited, search.folder.name)


@register(TrainingPart, "curves")
def _training_curves(training: TrainingPart) -> Figure | None:
    return run_plots.charts(training.charts) if training.charts else None
