"""Figures that a notebook shows without pyplot."""

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A matplotlib figure that is its own picture where a cell of a notebook ends with it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
