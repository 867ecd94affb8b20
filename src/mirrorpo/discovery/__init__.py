"""Finding preference objectives, and saying what a found one does."""

from typing import TYPE_CHECKING

from mirrorpo import lazy

if TYPE_CHECKING:
    from .artefact import Discovery, load, shipped
    from .closed_form_fit import closed_form
    from .search import discover
    from .settings import DiscoverySettings
    from .visited import Visited

__all__ = [
    "Discovery",
    "DiscoverySettings",
    "Visited",
    "closed_form",
    "discover",
    "load",
    "shipped",
]

_HOMES = {
    "Discovery": "artefact",
    "DiscoverySettings": "settings",
    "Visited": "visited",
    "closed_form": "closed_form_fit",
    "discover": "search",
    "load": "artefact",
    "shipped": "artefact",
}

if not TYPE_CHECKING:  # to which a typing error of a name would be no error

    def __getattr__(name: str) -> object:
        # Lazily: the names of shipped discoveries do not need a simulator.
        return lazy.attribute(__name__, _HOMES, name)
