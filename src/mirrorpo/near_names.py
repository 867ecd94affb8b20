"""The names that somebody who mistyped one may have meant."""

import difflib
from collections.abc import Iterable


def nearest(given: str, known: Iterable[str], most: int = 3, cutoff: float = 0.4) -> list[str]:
    """The known names most like the given one, the nearest first.

    Upper case counts as lower, and an underscore as a hyphen. Where that alone makes a name equal,
    it is the only one.

    Args:
        given: what was typed.
        known: the names there are.
        most: how many to return at most.
        cutoff: the least likeness, from 0 to 1, see `difflib.get_close_matches`.
    """
    names: dict[str, list[str]] = {}
    for name in known:
        names.setdefault(_folded(name), []).append(name)
    wanted = _folded(given)
    near = [wanted] if wanted in names else difflib.get_close_matches(wanted, names, most, cutoff)
    return [name for one in near for name in names[one]][:most]


def hint(given: str, known: Iterable[str], most: int = 3, cutoff: float = 0.4) -> str:
    """A sentence with the nearest names, to follow another; empty where none is near."""
    near = nearest(given, known, most, cutoff)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")
