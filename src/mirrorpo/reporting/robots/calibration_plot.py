"""A policy's true return against the coefficient of a penalty, as a table and as a plot."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.agents.calibration import Calibration
from mirrorpo.agents.limb_use import Estimate

POINTS = 9
_LINE, _TARGET, _CHECK = "#0072B2", "#888888", "#D55E00"


def coefficients(calibration: Calibration) -> tuple[float, ...]:
    """Evenly spaced from 0 to twice the found coefficient, which is in the middle."""
    step = 2 * calibration.coefficient.value / (POINTS - 1)
    return tuple(i * step for i in range(POINTS))


def to_frame(calibration: Calibration, at: Sequence[float]) -> pd.DataFrame:
    """One row per coefficient: the mean true return and its standard error over episodes."""
    curve = calibration.curve(at)
    return pd.DataFrame(
        {
            "coefficient": list(at),
            "return_mean": [point.value for point in curve],
            "return_standard_error": [point.standard_error for point in curve],
        }
    )


def save(
    path: Path, calibration: Calibration, measured: tuple[float, Estimate], title: str
) -> None:
    """Write a PNG with the return at each coefficient and its standard errors.

    It also shows the target, the found coefficient with its standard error, and one return that was
    measured with the penalty on.

    Args:
        path: the file to write.
        calibration: what to show.
        measured: a coefficient and the return that an evaluation at it gave.
        title: the title of the plot.
    """
    at = coefficients(calibration)
    curve = calibration.curve(at)
    found = calibration.coefficient
    figure = Figure(figsize=(6.4, 4.0), dpi=150)
    axis = figure.subplots()
    axis.errorbar(
        at,
        [point.value for point in curve],
        yerr=[point.standard_error for point in curve],
        color=_LINE,
        marker="o",
        markersize=4,
        capsize=3,
        label="computed from the episodes without the penalty",
    )
    axis.axhline(
        calibration.target, color=_TARGET, linestyle="--", label=f"target {calibration.target:.6g}"
    )
    axis.axvspan(
        found.value - found.standard_error,
        found.value + found.standard_error,
        color=_TARGET,
        alpha=0.25,
        linewidth=0,
        label=f"coefficient {found.value:.4g} ± {found.standard_error:.2g}",
    )
    axis.errorbar(
        [measured[0]],
        [measured[1].value],
        yerr=[measured[1].standard_error],
        color=_CHECK,
        marker="s",
        markersize=5,
        capsize=3,
        linestyle="none",
        label=f"measured at {measured[0]:g}, fresh episodes",
    )
    axis.set_xlabel(f"coefficient of the penalty on {calibration.limb}")
    axis.set_ylabel("mean true return ± standard error")
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#e5e5e5", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=8)
    files.write_atomically(
        path, lambda part: figure.savefig(part, format="png", bbox_inches="tight")
    )
