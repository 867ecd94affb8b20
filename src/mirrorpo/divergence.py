"""A training whose numbers are no longer finite: an outcome to report, not a mistake to correct."""

import math

EXIT_CODE = 3
"""A command exits with it that wrote all results and has an agent or model that diverged."""


class Diverged(Exception):
    """Training ended in numbers that are not finite. All that it wrote is kept and says so."""


def finite_or_none(value: float) -> float | None:
    """A number for JSON, which has neither NaN nor infinity."""
    number = float(value)
    return number if math.isfinite(number) else None


def short_or_none(value: float) -> float | None:
    """A number with six digits for JSON; None where it is not finite."""
    return finite_or_none(float(f"{float(value):.6g}"))
