"""Progress callbacks."""

from collections.abc import Callable

Progress = Callable[[float, float, str], None]
"""Told how much is done, of how much, and what is being done."""


def silent(done: float, total: float, doing: str) -> None:
    """The progress that nobody wants to know."""
