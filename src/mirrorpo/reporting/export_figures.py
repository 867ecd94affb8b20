"""A report's figures as PNG and SVG, for use elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.discovery.gradient_map import gradient_map
from mirrorpo.discovery.member_functions import member_functions
from mirrorpo.objectives import MirrorObjective
from mirrorpo.reporting import explain_plots, run_plots
from mirrorpo.reporting.page import choices, explorer, reading
from mirrorpo.reporting.page.benches import BenchPart
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.reporting.page.searches import SearchPart
from mirrorpo.reporting.page.trainings import TrainingPart

GRADIENT_MAPS = "gradient-maps"
_FORMS = (".png", ".svg")


def write(parts: Parts, folder: Path) -> Iterator[tuple[str, str | None]]:
    """Write each figure of runs to a folder.

    Yields:
        The name of what is done, and why it could not be drawn; None where it could.
    """
    for name, draw in _jobs(parts, folder):
        try:
            draw()
        # What a run folder holds may be more than a figure can show.
        except Exception as error:
            yield name, reading.told(error)
        else:
            yield name, None


def _jobs(parts: Parts, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    for bench in parts.benches:
        yield bench.folder.name, partial(_of_bench, bench, folder)
    for search in parts.searches:
        yield search.folder.name, partial(_of_search, search, folder)
    for training in parts.trainings:
        yield training.name, partial(_of_training, training, folder)
    yield "the gradient maps", partial(_side_by_side, parts, folder)


def _of_bench(bench: BenchPart, folder: Path) -> None:
    if not bench.run.table.cells:
        return
    name = files.file_name(bench.folder.name)
    _both(run_plots.every_agent(bench), folder / f"{name}-agents")
    if bench.curves:
        _both(run_plots.training_curves(bench), folder / f"{name}-curves")


def _of_search(search: SearchPart, folder: Path) -> None:
    if search.generations:
        figure = run_plots.fitness(search.generations, search.validations)
        _both(figure, folder / f"{files.file_name(search.folder.name)}-fitness")
    _write_found(search, folder)


def _of_training(training: TrainingPart, folder: Path) -> None:
    if training.charts:
        figure = run_plots.charts(training.charts)
        _both(figure, folder / f"{files.file_name(training.name)}-curves")


def _side_by_side(parts: Parts, folder: Path) -> None:
    offered, compared = choices.offered(parts)
    maps = [(label, explorer.first_map(offered[index], point)) for label, index, point in compared]
    if maps:
        _both(explain_plots.side_by_side(maps), folder / GRADIENT_MAPS)


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
