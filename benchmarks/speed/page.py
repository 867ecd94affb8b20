"""The lines of a run as the tables of docs/performance.md, ratios beside the figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import table

Line = Mapping[str, Any]

_RATE = {"training": "agent_steps_a_second", "evaluation": "steps_a_second"}
_FIGURES = {
    "generation": (
        *("seconds", "training_seconds", "evaluation_seconds", "rest_seconds"),
        *("first_generation_seconds", "share_of_generation"),
    ),
    "messages": ("agents_an_order", "order_kib", "reply_kib", "supply_mib"),
    "language": ("seconds", "mirrorpo_is_times_faster", "largest_difference_of_losses"),
    "scaling": ("agents_a_minute", "times_one_worker", "worker_seconds_an_agent"),
    "start-up": ("seconds", "import_seconds", "training_seconds", "evaluation_seconds"),
    "growth": ("seconds_exponent", "seconds_exponent_standard_error", "memory_exponent"),
}


def as_page(lines: Iterable[Line]) -> str:
    """Markdown: a table for each part that was measured, in the order of the parts."""
    parts: dict[str, list[Line]] = {}
    for line in lines:
        parts.setdefault(line["what"], []).append(line)
    written = [_part(what, found) for what, found in parts.items()]
    return "\n".join(text for text in written if text)


def _part(what: str, lines: Sequence[Line]) -> str:
    if what in _RATE:
        return _beside(what, lines)
    if what == "growth":
        lines = [line for line in lines if line["size"].startswith("exponents")]
    if what not in _FIGURES or not lines:
        return "".join(f"{table.as_text(line).strip()}\n" for line in lines)
    names = [name for name in _FIGURES[what] if any(name in line for line in lines)]
    head = [what, "by", *(name.replace("_", " ") for name in names)]
    rows = [[line["size"], line["by"], *(_cell(line, name) for name in names)] for line in lines]
    return _table(head, rows)


def _beside(what: str, lines: Sequence[Line]) -> str:
    """A row for each size and a column for each who does it, with MirrorPO's ratio in brackets."""
    rate = _RATE[what]
    names = list(dict.fromkeys(line["by"] for line in lines))
    sizes = list(dict.fromkeys(line["size"] for line in lines))
    share = any("share_of_peak" in line for line in lines)
    by = {(line["size"], line["by"]): line for line in lines}

    def cell(size: str, name: str) -> str:
        line = by.get((size, name), {})
        text = _cell(line, rate)
        ratio = line.get("mirrorpo_is_times_faster")
        return text if ratio is None or name == "mirrorpo" else f"{text} ({ratio:.2g})"

    rows = []
    for size in sizes:
        row = [size, *(cell(size, name) for name in names)]
        if share:
            reached = by.get((size, "mirrorpo"), {}).get("share_of_peak")
            row.append("" if reached is None else f"{reached:.0%}")
        rows.append(row)
    head = [f"{what}, {rate.replace('_', ' ')}", *names, *(["share of peak"] if share else [])]
    return _table(head, rows)


def _cell(line: Line, name: str) -> str:
    if name in line:
        return table.number(line[name])
    return str(line.get("note", ""))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    every = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in every)
