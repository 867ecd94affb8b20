"""What is said of an objective that was explained: in words, and as a document."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mirrorpo.discovery.closed_form_fit import Fit
from mirrorpo.discovery.gradient_map import GradientMap
from mirrorpo.discovery.member_functions import Curve
from mirrorpo.discovery.visited import Visited

_FLAT = 1e-3
"""Slopes and sizes that differ by less than this, relatively, are called the same."""


def lines(
    text: str, visited: Visited, fit: Fit, maps: Sequence[GradientMap], curves: Sequence[Curve]
) -> tuple[str, ...]:
    """Formula, error, functions and gradient in words.

    Args:
        text: the objective as its user named it.
        visited: the pairs that it was looked at.
        fit: its closed form.
        maps: its gradient at one or more moments of training.
        curves: its scalar functions; none for what is not a member of the mirror family.
    """
    low, high = visited.range
    source = "pairs that training visited" if visited.measured else "evenly spread pairs"
    said = [
        f"{text} on {len(visited.points)} {source}, log-probs from {low:.4g} to {high:.4g}:",
        f"  {fit.text}",
        f"  On held-out pairs its gradient is off by {_percent(fit.relative_error)} (root mean "
        f"square), by {_percent(fit.max_error)} at most; R^2 {fit.r_squared:.4f}.",
    ]
    said += [f"  {line}" for curve in curves for line in _about_function(curve)]
    return (*said, *(f"  {_about_gradient(found, len(maps) > 1)}" for found in maps))


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


def document(
    text: str, visited: Visited, fit: Fit, maps: Sequence[GradientMap], curves: Sequence[Curve]
) -> dict[str, Any]:
    """All figures, as JSON; arguments as of `lines`."""
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
