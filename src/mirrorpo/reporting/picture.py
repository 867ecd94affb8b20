"""Figures that a notebook shows without pyplot, and figures as files."""

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from mirrorpo import files


class Picture(Figure):
    """A matplotlib figure that is its own picture where a cell of a notebook ends with it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the name's ending; equal figures give equal files."""
    kind = path.suffix.removeprefix(".")
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
    with matplotlib.rc_context({"svg.hashsalt": "mirrorpo", "svg.fonttype": "none"}):
        files.write_atomically(
            path, lambda part: figure.savefig(part, format=kind, metadata=metadata)
        )
