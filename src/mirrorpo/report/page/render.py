"""Runs in, one HTML file out."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mirrorpo import files, versions
from mirrorpo.discovery.closed_form_fit import closed_form
from mirrorpo.report.page import (
    benches,
    explorer,
    folders,
    mathml,
    rollouts,
    searches,
    trainings,
)
from mirrorpo.report.page.benches import BenchPart, Place
from mirrorpo.report.page.folders import Folder
from mirrorpo.report.page.rollouts import Rollout
from mirrorpo.report.page.searches import SearchPart
from mirrorpo.report.page.trainings import TrainingPart
from mirrorpo.study import algorithms
from mirrorpo.study.tables import NOT_RUN

_TEMPLATES = "report/page/templates"
_LIBRARIES = ("d3-7.9.2.min.js", "plot-0.6.17.umd.min.js")
_SCRIPTS = ("page.js", "explorer.js")
_FOUND = "found by "
_FIRST_SHOWN = ("dpo", "orpo")
_MOST_MAPS = 24
_CURVE_TITLES = (
    ("chosen_log_prob", "log-prob of the chosen"),
    ("rejected_log_prob", "log-prob of the rejected"),
    ("margin", "margin of the log-probs"),
    ("loss", "loss"),
)
_FORMULA_TERMS = 4


@dataclass(frozen=True)
class Parts:
    """Everything that a report shows, read from run folders."""

    folders: Sequence[Folder]
    benches: Sequence[BenchPart]
    searches: Sequence[SearchPart]
    trainings: Sequence[TrainingPart]

    @property
    def places(self) -> list[Place]:
        """The leaderboard of all benches."""
        return [place for bench in self.benches for place in benches.places(bench)]


def read(paths: Sequence[Path]) -> Parts:
    """Read run folders; none is written to.

    Raises:
        ValueError: see `folders.read`; damaged files.
    """
    found = folders.read(paths)
    return Parts(
        found,
        [benches.read(folder) for folder in found if folder.kind == "bench"],
        [searches.read(folder) for folder in found if folder.kind == "discover"],
        [trainings.read(folder) for folder in found if folder.kind in ("train", "agents train")],
    )


def render(
    parts: Parts,
    command: str,
    agents_drawn: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, of, doing: None,
) -> str:
    """The page.

    Args:
        parts: of `read`.
        command: the command line that makes the page, for its foot.
        agents_drawn: how many agents of each run folder to show moving.
        progress: called with the steps done, of how many, and what is being done.
    """
    progress(0, 3, "evaluating objectives")
    choices, compared = _choices(parts)
    content = explorer.document(choices)
    labels = [choice.label for choice in choices]
    progress(1, 3, "drawing agents")
    moving = _rollouts(parts.folders, agents_drawn)
    progress(2, 3, "writing the page")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mirrorpo", _TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["plain"] = lambda value: f"{value:.6g}" if math.isfinite(value) else ""
    environment.filters["fixed"] = _fixed
    places = parts.places
    explained = [_explained(folder) for folder in parts.folders if folder.kind == "explain"]
    sections = [
        ("runs", "Runs", True),
        ("leaderboard", "Leaderboard", places),
        ("benches", "Benches", parts.benches),
        ("searches", "Discovery", parts.searches),
        ("explained", "Explained", explained),
        ("trainings", "Agents", parts.trainings),
        ("rollouts", "Rollouts", moving),
        ("maps", "Gradient maps", compared),
        ("explorer", "Explorer", True),
        ("how", "Commands", True),
    ]
    return environment.get_template("page.html.j2").render(
        title=_title(parts),
        made=f"MirrorPO {versions.package_version()}.",
        version=versions.package_version(),
        report_command=command,
        sections=[(anchor, name) for anchor, name, there in sections if there],
        runs=[_run(parts, folder) for folder in parts.folders],
        places=places,
        filters=[
            (name, sorted({getattr(place, name) for place in places}))
            for name in ("task", "variant", "algorithm", "run")
        ],
        benches=parts.benches,
        curves=_CURVE_TITLES,
        searches=[_search_for_template(search) for search in parts.searches],
        explained=explained,
        trainings=parts.trainings,
        rollouts=moving,
        compared=compared,
        reference=explorer.REFERENCE,
        style=Markup(_asset(_TEMPLATES, "page.css")),
        scripts=[
            *(Markup(_asset("assets/page", name)) for name in _LIBRARIES),
            *(Markup(_asset(_TEMPLATES, name)) for name in _SCRIPTS),
        ],
        data=_script_json(_data(parts, labels)),
        explorer=_script_json(content),
    )


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


def _choices(parts: Parts) -> tuple[list[explorer.Choice], list[tuple[str, int, int]]]:
    """What the explorer offers, and which of it stands side by side: label, choice, point.

    Objectives of the runs that are not in the zoo come first.
    """
    discovered = {
        f"{_FOUND}{search.folder.name}": search.found.objective
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


def _rollouts(found: Sequence[Folder], each: int) -> list[Rollout]:
    if not each:
        return []
    return [
        rollouts.record(folder, path)
        for folder in found
        for path in rollouts.agents_in(folder, each)
    ]


def _run(parts: Parts, folder: Folder) -> dict[str, Any]:
    """A row of the table of runs."""
    row: dict[str, Any] = {
        "name": folder.name,
        "kind": folder.kind,
        "finished": True,
        "state": "",
        "agents": NOT_RUN,
        "diverged": NOT_RUN,
        "time": NOT_RUN,
        "steps": NOT_RUN,
        "command": folder.command,
        "settings": json.dumps(folder.settings),
        "versions": list(folder.versions.items()),
        "commit": folder.commit,
        "machine": ", ".join(
            f"{value} cores" if name == "cores" else str(value)
            for name, value in folder.machine.items()
            if value
        ),
    }
    for bench in parts.benches:
        if bench.folder is folder:
            row["finished"] = bench.finished
            row["state"] = f"unfinished: {len(bench.final)} of {bench.expected} agents"
            row["agents"] = f"{len(bench.run.agents):,}"
            row["diverged"] = str(int(bench.run.agents.diverged.sum()))
            row["time"] = _clock(bench.seconds)
            row["steps"] = f"{bench.environment_steps:,}"
    for search in parts.searches:
        if search.folder is folder:
            total = folder.settings["generations"]
            row["finished"] = search.finished
            row["state"] = f"unfinished: {len(search.generations)} of {total} generations"
            row["agents"] = f"{search.agents:,}"
            row["diverged"] = str(search.diverged)
            row["time"] = _clock(search.seconds)
    for training in parts.trainings:
        if training.folder is folder:
            row["agents"] = str(training.agents)
            row["diverged"] = str(training.diverged)
            if training.seconds is not None:
                row["time"] = _clock(training.seconds)
            if training.environment_steps is not None:
                row["steps"] = f"{training.environment_steps:,}"
    return row


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _search_for_template(search: SearchPart) -> dict[str, Any]:
    shown = {field.name: getattr(search, field.name) for field in dataclasses.fields(search)}
    shown.update(formula=None, formula_text="", formula_error="")
    if search.found is not None:
        fit = closed_form(search.found.objective, search.found.visited, _FORMULA_TERMS, 0)
        shown.update(
            formula=Markup(mathml.from_latex(fit.latex)),
            formula_text=fit.text,
            formula_error=_error_text(fit.relative_error, fit.max_error, fit.r_squared),
        )
    return shown


def _explained(folder: Folder) -> dict[str, Any]:
    document = files.read_json(folder.path / "explain.json", "an explanation")
    form = document["closed_form"]
    pictures = []
    for name, file in (("Gradient map", "gradient_map.png"), ("Scalar functions", "functions.png")):
        if (folder.path / file).is_file():
            content = (folder.path / file).read_bytes()
            pictures.append((name, rollouts.data_uri("image/png", content)))
    latex = (folder.path / "closed_form.tex").read_text(encoding="utf-8")
    return {
        "name": folder.name,
        "objective": document["objective"],
        "text": form["text"],
        "formula": Markup(mathml.from_latex(latex)),
        "error": _error_text(form["relative_error"], form["max_error"], form["r_squared"]),
        "pictures": pictures,
    }


def _error_text(relative: float, largest: float, r_squared: float) -> str:
    return (
        f"On held-out pairs the formula's gradient is off by {_percent(relative)} (root mean "
        f"square), by {_percent(largest)} at most; R² {r_squared:.4f}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _data(parts: Parts, labels: Sequence[str]) -> dict[str, Any]:
    """What the page's charts of runs need."""
    names: dict[str, None] = {}
    for bench in parts.benches:
        names.update(dict.fromkeys(bench.run.table.algorithms))
    first = [name for name in labels if name.startswith(_FOUND)]
    first += [place.algorithm for place in parts.places if place.rank == 1]
    first += list(_FIRST_SHOWN)
    shown = [name for name in dict.fromkeys(first) if name in labels]
    return {
        "algorithms": list(names),
        "first": [labels.index(name) for name in shown[:2]],
        "benches": [_bench_data(bench) for bench in parts.benches],
        "searches": [
            {
                "generations": [
                    {
                        name: line.get(name)
                        for name in (
                            "generation",
                            "fitness_best",
                            "fitness_mean",
                            "fitness_of_mean",
                            "fitness_start",
                        )
                    }
                    for line in search.generations
                ],
                "validations": [
                    {
                        name: line.get(name)
                        for name in ("generation", "candidate", "score", "standard_error")
                    }
                    for line in search.validations
                ],
            }
            for search in parts.searches
        ],
        "trainings": [
            {"points": training.points, "argument": training.argument}
            for training in parts.trainings
        ],
    }


def _bench_data(bench: BenchPart) -> dict[str, Any]:
    table, final = bench.run.table, bench.final
    groups = dict(list(final.groupby(["algorithm", "variant"])))
    cells = []
    for (algorithm, variant), cell in table.cells.items():
        agents = groups[algorithm, variant]
        summary = cell.summary
        cells.append(
            {
                "algorithm": algorithm,
                "variant": variant,
                "mean": summary.mean,
                "error": summary.standard_error,
                "agents": summary.agents,
                "diverged": summary.diverged,
                "scores": [
                    [int(seed), round(float(score), 1)]
                    for seed, score in zip(agents.seed, agents.return_mean, strict=True)
                ],
                "curves": {
                    name: [float(f"{value:.5g}") for value in values]
                    for name, values in bench.curves.get((variant, algorithm), {}).items()
                },
                "stages": bench.stages.get(algorithm, []),
            }
        )
    return {
        "sources": [{"label": label, "mean": mean} for label, mean, _ in table.sources],
        "cells": cells,
    }
