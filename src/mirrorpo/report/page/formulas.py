"""Formulas of searches and explanations, as the template shows them."""

from __future__ import annotations

import dataclasses
from typing import Any

from markupsafe import Markup

from mirrorpo import files
from mirrorpo.discovery.closed_form_fit import closed_form
from mirrorpo.report.page import mathml, rollouts
from mirrorpo.report.page.folders import Folder
from mirrorpo.report.page.searches import SearchPart

_TERMS = 4


def of_search(search: SearchPart) -> dict[str, Any]:
    """A search, and the formula of what it found."""
    shown = {field.name: getattr(search, field.name) for field in dataclasses.fields(search)}
    shown.update(formula=None, formula_text="", formula_error="")
    if search.found is not None:
        fit = closed_form(search.found.objective, search.found.visited, _TERMS, 0)
        shown.update(
            formula=Markup(mathml.from_latex(fit.latex)),
            formula_text=fit.text,
            formula_error=_error_text(fit.relative_error, fit.max_error, fit.r_squared),
        )
    return shown


def of_explanation(folder: Folder) -> dict[str, Any]:
    """A run of `mirrorpo explain`: its formula and its pictures."""
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
