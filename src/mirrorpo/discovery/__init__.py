"""Finding preference objectives, and saying what a found one does."""

import importlib
from typing import Any

_HOMES = {
    "Discovery": "artefact",
    "DiscoverySettings": "settings",
    "Visited": "visited",
    "closed_form": "closed_form_fit",
    "discover": "search",
    "load": "artefact",
    "shipped": "artefact",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Lazily: the names of shipped discoveries do not need a simulator.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
