"""The parts of a page in, one HTML file out."""

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mirrorpo import plain_text, versions
from mirrorpo.discovery import shapes
from mirrorpo.reporting import side_tables
from mirrorpo.reporting.page import (
    chart_data,
    choices,
    explorer,
    formulas,
    reading,
    reviews,
    rollouts,
    run_rows,
)
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.reporting.page.rollouts import Rollout
from mirrorpo.study.tables import NOT_RUN

_TEMPLATES = "reporting/page/templates"
_LIBRARIES = ("d3-7.9.2.min.js", "plot-0.6.17.umd.min.js")
_SCRIPTS = ("page.js", "explorer.js")


def render(
    parts: Parts,
    command: str,
    agents_drawn: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, of, doing: None,
) -> str:
    """The page.

    Args:
        parts: the parts that `reading.read` gives; best of `reading.sound`, with `attempt`.
        command: the command line that makes the page, for its foot.
        agents_drawn: how many agents of each run folder to show moving.
        progress: called with the steps done, of how many, and what is being done.
    """
    progress(0, 3, "evaluating objectives")
    offered, side_by_side = choices.offered(parts)
    content = explorer.document(offered)
    first = choices.shown_first(parts, [choice.label for choice in offered])
    progress(1, 3, "drawing agents")
    moving = _rollouts(parts.folders, agents_drawn)
    progress(2, 3, "writing the page")
    return _filled(parts, command, moving, side_by_side, content, first)


def attempt(parts: Parts) -> None:
    """Make all that the page and its tables say of some parts, to see that it can be made."""
    _filled(parts, "", [], [], {}, [])
    for _ in side_tables.of(parts):
        pass


def _filled(
    parts: Parts,
    command: str,
    moving: Sequence[Rollout],
    side_by_side: Sequence[tuple[str, int, int]],
    explored: Mapping[str, Any],
    first: Sequence[int],
) -> str:
    """The template with everything that it shows."""
    places, drawn = parts.places, chart_data.document(parts)
    explained = [
        formulas.of_explanation(folder)
        for folder in parts.folders
        if folder.kind == "explain" and folder.damage is None
    ]
    sections = [
        ("runs", "Runs", True),
        ("leaderboard", "Leaderboard", places),
        ("benches", "Benches", parts.benches),
        ("searches", "Discovery", parts.searches),
        ("explained", "Explained", explained),
        ("trainings", "Trained", parts.trainings),
        ("judgements", "Judged", parts.judgements),
        ("rollouts", "Rollouts", moving),
        ("maps", "Gradient maps", side_by_side),
        ("explorer", "Explorer", True),
        ("how", "Commands", True),
    ]
    scripts = _scripts()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=_title(parts),
            made=f"MirrorPO {versions.package_version()}.",
            version=versions.package_version(),
            report_command=plain_text.visible(command),
            sections=[(anchor, name) for anchor, name, there in sections if there],
            runs=[run_rows.row(parts, folder) for folder in parts.folders],
            places=places,
            labels=drawn["labels"],
            papers=any(place.paper for place in places),
            filters=[
                (name, sorted({getattr(place, name) for place in places}))
                for name in ("task", "variant", "algorithm", "run")
            ],
            benches=parts.benches,
            measures=reviews.TITLES,
            searches=[formulas.of_search(search) for search in parts.searches],
            explained=explained,
            trainings=parts.trainings,
            judgements=parts.judgements,
            rollouts=moving,
            compared=side_by_side,
            reference=shapes.REFERENCE,
            style=Markup(_asset(_TEMPLATES, "page.css")),
            scripts=scripts,
            script_hashes=" ".join(f"'sha256-{_hash(script)}'" for script in scripts),
            data=_script_json({**drawn, "first": first}),
            explorer=_script_json(explored),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mirrorpo", _TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["plain"] = lambda value: f"{value:.6g}" if math.isfinite(value) else ""
    environment.filters["fixed"] = _fixed
    return environment


@cache
def _scripts() -> tuple[Markup, ...]:
    """The page's own scripts; the page's policy lets these run and no other, by their hashes."""
    return (
        *(Markup(_asset("assets/page", name)) for name in _LIBRARIES),
        *(Markup(_asset(_TEMPLATES, name)) for name in _SCRIPTS),
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _title(parts: Parts) -> str:
    if len(parts.folders) == 1:
        return parts.folders[0].name
    return f"{len(parts.folders)} runs"


def _asset(folder: str, name: str) -> str:
    return (Path(str(resources.files("mirrorpo"))) / folder / name).read_text(encoding="utf-8")


def _script_json(content: Any) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(_without_nan(content), separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _without_nan(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_without_nan(value) for value in content]
    return content


def _fixed(value: float | None, decimals: int) -> str:
    if value is None or not math.isfinite(value):
        return NOT_RUN
    # Adding 0 turns the -0 that rounding leaves into 0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _rollouts(found: Sequence[Folder], each: int) -> list[Rollout]:
    """Agents of the folders; one that cannot act is left out."""
    shown = []
    for folder in found if each else ():
        for path in rollouts.agents_in(folder, each):
            try:
                shown.append(rollouts.record(folder, path))
            # A file from outside may hold arrays of any size and kind.
            except Exception as error:
                reading.told(error)
    return shown
