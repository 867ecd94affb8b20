"""What a search writes down: a line per generation and per validation, and how they are read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorpo import typed

RESULT = "objective.safetensors"
VALIDATIONS = "validation.jsonl"
"""Names in a search's folder: what it found, and its validations."""


def generation(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of the log, checked as far as a search relies on it."""
    typed.check(line["generation"], int, "generation")
    return line


def validation(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of the validations, checked as far as a search relies on it."""
    typed.check(line["score"], float, "score")
    return generation(line)


def shown(fitness: float | None) -> str:
    """A fitness in words; None is that of agents that all diverged."""
    return "diverged" if fitness is None else f"{fitness:.3f}"


def lowest(values: np.ndarray) -> float:
    """The lowest finite value, or 0."""
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else 0.0
