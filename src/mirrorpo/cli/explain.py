"""``mirrorpo explain``: what an objective does, as pictures and as a formula."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mirrorpo.cli.console import console

if TYPE_CHECKING:
    from mirrorpo.discovery.artefact import Discovery
    from mirrorpo.discovery.closed_form_fit import Fit
    from mirrorpo.discovery.gradient_map import GradientMap
    from mirrorpo.discovery.member_functions import Curve
    from mirrorpo.discovery.visited import Visited

_FLAT = 1e-3
"""Slopes and sizes that differ by less than this, relatively, are called the same."""


def explain(
    objective: Annotated[str, tyro.conf.Positional],
    out: Path | None = None,
    max_terms: int = 4,
    low: float | None = None,
    high: float | None = None,
    seed: int = 0,
) -> None:
    """Draw what an objective pulls at, and write it as a formula of few terms.

    Writes gradient_map and, for a member of the mirror family, functions as PNG and SVG;
    closed_form.json (an objective, to be trained like any other), closed_form.tex, explain.json.

    Args:
        objective: a name, a name with values as in dpo[beta=100], a saved or shipped
            discovery, or PATH.py:CLASS.
        out: run folder; by default runs/explain-OBJECTIVE-... named by the settings.
        max_terms: the most terms of the formula.
        low: lowest log-prob to look at, a mean over time; by default the lowest that training
            visited, or -14 where that is not known.
        high: highest log-prob to look at; by default the highest visited, or -6.
        seed: of the choice of pairs and of the cross-validation's folds.
    """
    from mirrorpo import files, objectives, runs
    from mirrorpo.discovery.closed_form_fit import closed_form
    from mirrorpo.discovery.gradient_map import depends_on_progress, gradient_map
    from mirrorpo.discovery.member_functions import MOMENTS, member_functions
    from mirrorpo.objectives.user_text import UserText
    from mirrorpo.report import explain_plots
    from mirrorpo.study import algorithms

    loaded = algorithms.load(UserText(objective)).objective
    settings = {
        "objective": objective,
        "max_terms": max_terms,
        "low": low,
        "high": high,
        "seed": seed,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    out = out or runs.default_out("explain", f"{loaded.name}-{digest}")
    runs.claim(out, settings)
    discovery = _discovery(objective)
    visited = _visited(discovery, loaded.needs_reference, low, high)
    fit = closed_form(loaded, visited, max_terms, seed)
    moments = MOMENTS if depends_on_progress(loaded, visited) else MOMENTS[:1]
    maps = [gradient_map(loaded, visited, progress) for progress in moments]
    curves: tuple[Curve, ...] = ()
    if isinstance(loaded, objectives.MirrorObjective):
        curves = member_functions(loaded, visited)

    title = f"{objective}\nsize of the gradient; arrows: where training moves a pair"
    for ending in ("png", "svg"):
        explain_plots.save_gradient_maps(out / f"gradient_map.{ending}", maps, visited, title)
        if curves:
            explain_plots.save_functions(
                out / f"functions.{ending}", curves, visited, f"{objective}: its scalar functions"
            )
    objectives.save(fit.objective, out / "closed_form.json", _notes(objective, fit, discovery))
    files.write_text(out / "closed_form.tex", fit.latex)
    files.write_json(out / "explain.json", _document(objective, visited, fit, maps, curves))

    for line in _lines(objective, visited, fit, maps, curves):
        console.print(line)
    console.print(f"{out} holds the pictures, the formula and its error.")


def _discovery(text: str) -> Discovery | None:
    """What is known of the objective of this name or file, if it was discovered."""
    from mirrorpo import objectives
    from mirrorpo.discovery import artefact

    saved = text in artefact.shipped() or text.endswith((".safetensors", ".json"))
    if not saved or "visited" not in objectives.load_notes(artefact.find(text)):
        return None
    return artefact.load(text)


def _notes(text: str, fit: Fit, discovery: Discovery | None) -> dict[str, Any] | None:
    """A discovery's formula is a discovery: it keeps where it comes from and what was visited."""
    from mirrorpo.discovery import artefact

    if discovery is None:
        return None
    own = {"formula_of": text, "relative_error": fit.relative_error, "max_error": fit.max_error}
    known = {**discovery.provenance, **own}
    return artefact.notes(dataclasses.replace(discovery, objective=fit.objective, provenance=known))


def _visited(
    discovery: Discovery | None, needs_reference: bool, low: float | None, high: float | None
) -> Visited:
    from mirrorpo.discovery import visited

    if discovery is not None and low is None and high is None:
        return discovery.visited
    return visited.Visited.grid(
        visited.LOW if low is None else low,
        visited.HIGH if high is None else high,
        needs_reference=needs_reference,
    )


def _document(
    text: str,
    visited: Visited,
    fit: Fit,
    maps: list[GradientMap],
    curves: tuple[Curve, ...],
) -> dict[str, Any]:
    errors = {
        field.name: getattr(fit, field.name)
        for field in dataclasses.fields(fit)
        if field.name != "objective"
    }
    return {
        "objective": text,
        "pairs": len(visited.points),
        "log_prob_range": visited.range,
        "margin_range": visited.margin_range,
        "closed_form": {"text": fit.text, **errors},
        "gradient": [
            {
                "progress": found.progress,
                "reference": found.reference,
                "largest": _named(found.extreme(True), ("size", "chosen", "rejected")),
                "smallest": _named(found.extreme(False), ("size", "chosen", "rejected")),
            }
            for found in maps
        ],
        "functions": [
            {
                "name": curve.name,
                "range": (curve.low, curve.high),
                "steepest": [
                    _named(found, ("progress", "at", "slope")) for found in curve.extremes(True)
                ],
                "flattest": [
                    _named(found, ("progress", "at", "slope")) for found in curve.extremes(False)
                ],
            }
            for curve in curves
        ],
    }


def _named(values: tuple[float, ...], names: tuple[str, ...]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))


def _lines(
    text: str,
    visited: Visited,
    fit: Fit,
    maps: list[GradientMap],
    curves: tuple[Curve, ...],
) -> list[str]:
    """What a command prints: formula, error, functions, gradient."""
    low, high = visited.range
    source = "pairs that training visited" if visited.measured else "evenly spread pairs"
    lines = [
        f"{text} on {len(visited.points)} {source}, log-probs from {low:.4g} to {high:.4g}:",
        f"  {fit.text}",
        f"  On held-out pairs its gradient is off by {_percent(fit.relative_error)} (root mean "
        f"square), by {_percent(fit.max_error)} at most; R^2 {fit.r_squared:.4f}.",
    ]
    lines += [f"  {line}" for curve in curves for line in _about_function(curve)]
    return lines + [f"  {_about_gradient(found, len(maps) > 1)}" for found in maps]


def _about_function(curve: Curve) -> list[str]:
    given = "margin" if curve.name == "link" else "log-prob"
    lines = []
    for (moment, at, most), (_, place, least) in zip(
        curve.extremes(True), curve.extremes(False), strict=True
    ):
        name = curve.name if len(curve.moments) == 1 else f"{curve.name} at t = {moment:g}"
        if most - least <= _FLAT * abs(most):
            lines.append(f"{name}: slope {most:.4g} everywhere.")
        else:
            lines.append(
                f"{name}: steepest, slope {most:.4g}, at {given} {at:.3g}; flattest, "
                f"{least:.4g}, at {place:.3g}."
            )
    return lines


def _about_gradient(found: GradientMap, moving: bool) -> str:
    name = f"Gradient at t = {found.progress:g}" if moving else "Gradient"
    (most, chosen, rejected), (least, *_) = found.extreme(True), found.extreme(False)
    if most - least <= _FLAT * most:
        return f"{name}: of size {most:.3g} everywhere."
    wrong, right = found.mean_sizes()
    return (
        f"{name}: {wrong:.3g} on average where the rejected is likelier, {right:.3g} where the "
        f"chosen is; largest, {most:.3g}, at chosen {chosen:.3g} and rejected {rejected:.3g}."
    )


def _percent(share: float) -> str:
    return "less than 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
