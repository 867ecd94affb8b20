"""How those who wait are told what is being done."""

from collections.abc import Callable

Progress = Callable[[float, float, str], None]
"""Told how much is done, of how much, and what is being done."""
