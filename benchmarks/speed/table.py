"""Lines as text: on the console, and as a table in Markdown."""

from collections.abc import Iterable
from typing import Any

# What the other columns say in words.
_NO_FIGURES = ("what", "size", "by", "against", "at")


def as_text(line: dict[str, Any]) -> str:
    what, size, by, figures = _cells(line)
    return f"{what:<13} {size:<26} {by:<15} {figures}"


def as_table(lines: Iterable[dict[str, Any]]) -> str:
    """A Markdown table, a row per line."""
    rows = "".join(f"| {' | '.join(_cells(line))} |\n" for line in lines)
    return f"| what | size | by | figures |\n| --- | --- | --- | --- |\n{rows}"


def _cells(line: dict[str, Any]) -> tuple[str, str, str, str]:
    figures = (
        f"{name.replace('_', ' ')}: {number(value)}"
        for name, value in line.items()
        if name not in _NO_FIGURES
    )
    return line["what"], line["size"], line["by"], ", ".join(figures)


def number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
