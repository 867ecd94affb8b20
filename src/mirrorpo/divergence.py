"""Training that diverged: an outcome to report, not an error to fix."""

import math

EXIT_CODE = 3
"""Exit code of a command that finished, but some agent or model diverged."""


class Diverged(Exception):
    """Training ended with NaN or infinite numbers; what it wrote is kept and says so."""


def finite_or_none(value: float) -> float | None:
    """A number for JSON, which has neither NaN nor infinity."""
    number = float(value)
    return number if math.isfinite(number) else None


def short_or_none(value: float) -> float | None:
    """A number with six digits for JSON; None where it is not finite."""
    return finite_or_none(float(f"{float(value):.6g}"))
