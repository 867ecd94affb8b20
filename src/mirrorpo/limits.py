"""The ranges that settings have in common, each with its one sentence."""

import math


def at_least(least: int, **values: float | None) -> None:
    """Raise ValueError, which names it, for a value below `least`; None is none that was given."""
    for name, value in values.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}.")


def positive(**values: float) -> None:
    """Raise ValueError, which names it, for a value that is not positive and finite."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, not {value}.")
