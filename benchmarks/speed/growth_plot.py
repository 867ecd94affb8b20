"""The growth of seconds and memory as small multiples: a column per quantity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirrorpo import files

from .growth import Curve, power_law

_POINTS, _FIT = "#0072B2", "#D55E00"
_ROOM = 1.4
_ONE_LABEL = 1.15
"""Two numbers nearer than this ratio would lie over each other."""


def draw(curves: Sequence[Curve]) -> Figure:
    """Seconds above, added memory below, both axes logarithmic, with the fitted power laws.

    Args:
        curves: one or more.
    """
    figure = Figure(figsize=(2.9 * len(curves) + 0.6, 5.2), dpi=150, layout="constrained")
    axes = figure.subplots(2, len(curves), squeeze=False)
    for column, curve in enumerate(curves):
        _panel(axes[0, column], curve.at, curve.seconds)
        _panel(axes[1, column], curve.at, curve.memory)
        axes[1, column].set_xlabel(curve.against)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("added memory (MiB)")
    return figure


def save(path: Path, curves: Sequence[Curve]) -> None:
    """Write what `draw` draws as a PNG."""
    figure = draw(curves)
    files.write_atomically(path, lambda part: figure.savefig(part, format="png"))


def _panel(axis: Axes, at: np.ndarray, values: np.ndarray) -> None:
    fit = power_law(at, values)
    ends = np.array([at.min(), at.max()])
    axis.loglog(ends, fit.factor * ends**fit.exponent, color=_FIT, linewidth=1.2)
    axis.loglog(at, values, "o", color=_POINTS, markersize=5)
    axis.set_title(f"exponent {fit.exponent:.2f} ± {fit.standard_error:.2f}", fontsize=9)
    axis.set_xticks(at, [f"{x:g}" for x in at])
    low, high = float(values.min()), float(values.max())
    if high / low < _ONE_LABEL:
        axis.set_yticks([(low * high) ** 0.5], [f"{low:.3g} to {high:.3g}"])
    else:
        axis.set_yticks([low, high], [f"{low:.3g}", f"{high:.3g}"])
    # Some room, so that what hardly grows looks flat.
    axis.set_ylim(low / _ROOM, high * _ROOM)
    axis.minorticks_off()
    axis.grid(color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
