"""Counts of a campaign, one line of JSON for each piece, so that pieces add up."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

_WORDS = ("wrong", "losses")


class Tally:
    """Counts in a file of JSON lines: what was tried, on what, and what became of it."""

    def __init__(self, path: Path):
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        self._rows = [json.loads(line) for line in text.splitlines()]

    @property
    def rows(self) -> int:
        """Pieces so far."""
        return len(self._rows)

    @property
    def wrong(self) -> list[str]:
        """All that was wrong, in words."""
        return [line for row in self._rows for word in _WORDS for line in row.get(word, ())]

    def add(self, part: str, name: str, counts: dict[str, Any]) -> None:
        """Write down what became of one piece."""
        row = {"part": part, "name": name, **counts, "time": time.strftime("%H:%M:%S")}
        self._rows.append(row)
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def sum(self, part: str, name: str, count: str) -> int:
        """One count of all pieces of one name."""
        return sum(
            row.get(count, 0) for row in self._rows if (row["part"], row["name"]) == (part, name)
        )

    def values(self, part: str, name: str, key: str) -> set:
        """What all pieces of one name hold under a key."""
        return {row.get(key) for row in self._rows if (row["part"], row["name"]) == (part, name)}

    def table(self) -> str:
        """The sums of each name, and of each part."""
        sums: dict[tuple[str, str], Counter[str]] = {}
        for row in self._rows:
            for name in (row["name"], "all"):
                found = sums.setdefault((row["part"], name), Counter())
                for key, value in row.items():
                    if isinstance(value, int) and key != "number":
                        found[key] += value
                    elif key in _WORDS:
                        found["wrong"] += len(value)
        return "\n".join(
            f"{part}, {name}: " + ", ".join(f"{value} {key}" for key, value in found.items())
            for (part, name), found in sorted(sums.items())
        )
