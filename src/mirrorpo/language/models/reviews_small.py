"""The package's own small language model: a student of SmolLM2 on openings of reviews."""

from pathlib import Path

from mirrorpo import files

NAME = "reviews-small"


def folder() -> Path:
    """Its folder, with a card of what it was made of (benchmarks/make_small_model.py)."""
    return files.asset("models", NAME)
