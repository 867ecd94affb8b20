"""A report's figures as PNG and SVG, for use elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.discovery.gradient_map import gradient_map
from mirrorpo.discovery.member_functions import member_functions
from mirrorpo.objectives import MirrorObjective
from mirrorpo.report import explain_plots, run_plots
from mirrorpo.report.page import choices, explorer
from mirrorpo.report.page.reading import Parts
from mirrorpo.report.page.searches import SearchPart

GRADIENT_MAPS = "gradient-maps"
_FORMS = (".png", ".svg")


def write(parts: Parts, folder: Path) -> Iterator[str]:
    """Write each figure of runs to a folder; yields the name of what is done."""
    for bench in parts.benches:
        if bench.run.table.cells:
            name = files.file_name(bench.folder.name)
            _both(run_plots.every_agent(bench), folder / f"{name}-agents")
            if bench.curves:
                _both(run_plots.training_curves(bench), folder / f"{name}-curves")
        yield bench.folder.name
    for search in parts.searches:
        if search.generations:
            figure = run_plots.fitness(search.generations, search.validations)
            _both(figure, folder / f"{files.file_name(search.folder.name)}-fitness")
        _write_found(search, folder)
        yield search.folder.name
    for training in parts.trainings:
        if training.charts:
            figure = run_plots.charts(training.charts)
            _both(figure, folder / f"{files.file_name(training.name)}-curves")
        yield training.name
    offered, compared = choices.offered(parts)
    if compared:
        maps = [
            (label, explorer.first_map(offered[index], point)) for label, index, point in compared
        ]
        _both(explain_plots.side_by_side(maps), folder / GRADIENT_MAPS)
    yield "the gradient maps"


def _write_found(search: SearchPart, folder: Path) -> None:
    if search.found is None:
        return
    objective, visited = search.found.objective, search.found.visited
    name = files.file_name(search.folder.name)
    maps = [gradient_map(objective, visited)]
    for ending in _FORMS:
        explain_plots.save_gradient_maps(
            folder / f"{name}-gradient-map{ending}", maps, visited, search.folder.name
        )
        if isinstance(objective, MirrorObjective):
            curves = member_functions(objective, visited)
            explain_plots.save_functions(
                folder / f"{name}-functions{ending}", curves, visited, search.folder.name
            )


def _both(figure: Figure, path: Path) -> None:
    for ending in _FORMS:
        run_plots.save(figure, path.with_name(path.name + ending))
