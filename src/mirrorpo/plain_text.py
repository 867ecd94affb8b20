"""Text from outside in a format where some letters mean more than themselves."""

import html
import re
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import files

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = re.compile(r"\s*[=+\-@\t\r|]")
# What tables are full of and no formula can be: -0.3, -11136 ± 892, -5 [-7, -3], -2 %.
_NUMBERS = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?( ± [\d.?]+)?( \[[-+\d., ]+\])?( %)?")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def in_markdown(text: str) -> str:
    """Text within a cell of a Markdown table: no HTML, no link, no other cell, no other line."""
    line = " ".join(text.split())
    return html.escape(line, quote=False).replace("|", "\\|").replace("](", "]\\(")


def in_csv(value: Any) -> Any:
    """A cell's value; what a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBERS.fullmatch(text) else text


def in_figure(text: str) -> str:
    """Text of a figure: a dollar is a dollar, and begins no formula."""
    return "\n".join(map(visible, text.split("\n"))).replace("$", r"\$")


def visible(text: str) -> str:
    """Text whose control characters, those that move or turn text included, are replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all; no cell of it is a formula."""
    plain = frame.copy(deep=False)
    for position, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            plain.isetitem(position, frame.iloc[:, position].map(in_csv))
    plain.columns = pd.Index([in_csv(name) for name in frame.columns])
    files.write_atomically(path, lambda part: plain.to_csv(part, index=False))
