"""What somebody who mistyped a name may have meant."""

import difflib
from collections.abc import Iterable


def hint(given: str, known: Iterable[str], most: int = 3, cutoff: float = 0.4) -> str:
    """A sentence with the nearest names, to follow another; empty where none is near."""
    near = difflib.get_close_matches(given, list(known), n=most, cutoff=cutoff)
    return f" Did you mean {' or '.join(near)}?" if near else ""
