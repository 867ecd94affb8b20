"""``mirrorpo.list_objectives``: all objectives that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorpo.discovery.listing import ListedObjective


def list_objectives() -> tuple[ListedObjective, ...]:
    """All losses and shipped discoveries, by kind, and by name within a kind.

    Examples:
        >>> import mirrorpo as mpo
        >>> next(one.values for one in mpo.list_objectives() if one.name == "dpo")
        {'beta': 0.1}
    """
    from mirrorpo.discovery import listing

    return tuple(listing.entries())
