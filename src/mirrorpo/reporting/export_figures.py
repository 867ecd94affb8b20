"""A report's figures as PNG and SVG, for use elsewhere."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.reporting import explain_plots, figures, picture
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
        yield bench.folder.name, partial(_of_part, bench, bench.folder.name, folder)
    for search in parts.searches:
        yield search.folder.name, partial(_of_part, search, search.folder.name, folder)
    for training in parts.trainings:
        yield training.name, partial(_of_part, training, training.name, folder)
    yield "the gradient maps", partial(_side_by_side, parts, folder)


def _of_part(part: BenchPart | SearchPart | TrainingPart, run: str, folder: Path) -> None:
    for name, draw in figures.of(part).items():
        figure = draw()
        if figure is not None:
            _both(figure, folder / f"{files.file_name(run)}-{name}")


def _side_by_side(parts: Parts, folder: Path) -> None:
    offered, compared = choices.offered(parts)
    maps = [(label, explorer.first_map(offered[index], point)) for label, index, point in compared]
    if maps:
        _both(explain_plots.side_by_side(maps), folder / GRADIENT_MAPS)


def _both(figure: Figure, path: Path) -> None:
    for ending in _FORMS:
        picture.save(figure, path.with_name(path.name + ending))
