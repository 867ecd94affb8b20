"""Formulas of searches and explanations, as the template shows them."""

import dataclasses
from typing import Any

from mirrorpo import bounded, files
from mirrorpo.discovery import kept_formula, search_log
from mirrorpo.reporting.page import mathml, pictures
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.searches import SearchPart


def of_search(search: SearchPart) -> dict[str, Any]:
    """A search, and the formula of what it found."""
    shown = {field.name: getattr(search, field.name) for field in dataclasses.fields(search)}
    shown.update(formula=None, formula_text="", formula_error="")
    if search.found is not None:
        try:
            found = kept_formula.of(search.folder.path / search_log.RESULT, search.found)
        except ValueError as error:  # of a gradient that no formula has
            return {**shown, "formula_error": str(error)}
        shown.update(
            formula=mathml.from_latex(found.latex),
            formula_text=found.text,
            formula_error=_error_text(found.relative_error, found.max_error, found.r_squared),
        )
    return shown


def of_explanation(folder: Folder) -> dict[str, Any]:
    """A run of `mirrorpo explain`: its formula and its pictures.

    Raises:
        ValueError: a file is damaged.
    """
    document = files.read_json(folder.path / "explain.json", "an explanation")
    form = document["closed_form"]
    shown = []
    for name, file in (("Gradient map", "gradient_map.png"), ("Scalar functions", "functions.png")):
        if (folder.path / file).is_file():
            shown.append((name, pictures.from_file(folder.path / file)))
    latex = bounded.read_text(folder.path / "closed_form.tex", "a formula", bounded.MEBIBYTE)
    return {
        "name": folder.name,
        "objective": str(document["objective"]),
        "text": str(form["text"]),
        "formula": mathml.from_latex(latex),
        "error": _error_text(form["relative_error"], form["max_error"], form["r_squared"]),
        "pictures": shown,
    }


def _error_text(relative: float, largest: float, r_squared: float) -> str:
    return (
        f"On held-out pairs the formula's gradient is off by {_percent(relative)} (root mean "
        f"square), by {_percent(largest)} at most; R² {r_squared:.4f}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
