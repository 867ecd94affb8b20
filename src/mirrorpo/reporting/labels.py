"""Short names of algorithms for charts and tables: those from files are named by a whole path."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from mirrorpo.discovery.search_log import RESULT

FOUND = "found by "
"""How the label of a run's discovery begins."""


def of(algorithms: Iterable[str]) -> dict[str, str]:
    """Algorithm -> label.

    What a run found is named by its folder, another file without its folders, and all else as it
    is. Algorithms that would share a label keep their own names.
    """
    names = list(dict.fromkeys(algorithms))
    labels = {name: _short(name) for name in names}
    count = Counter(labels.values())
    return {name: label if count[label] == 1 else name for name, label in labels.items()}


def _short(name: str) -> str:
    path, bracket, values = name.partition("[")
    if "/" not in path:
        return name
    file = PurePath(path)
    if file.name == RESULT and file.parent.name:
        return f"{FOUND}{file.parent.name}{bracket}{values}"
    return f"{file.name}{bracket}{values}"
