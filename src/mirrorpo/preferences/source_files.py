"""Pools and datasets in files, whichever of the two a file holds."""

from pathlib import Path
from typing import Any

from mirrorpo import array_files
from mirrorpo.preferences import validation
from mirrorpo.preferences.data import FORMAT, POOL_FORMAT, Pool, PreferenceDataset
from mirrorpo.preferences.views import Source


def load(path: Path) -> Source:
    """Read a pool or a labelled dataset.

    Raises:
        ValueError: missing, of another kind, or damaged; see their own `load`.
    """
    return Pool.load(path) if card(path)["format"] == POOL_FORMAT else PreferenceDataset.load(path)


def card(path: Path) -> dict[str, Any]:
    """The card of a pool or a labelled dataset, without its arrays.

    Raises:
        ValueError: missing, or of another kind.
    """
    try:
        found = array_files.load_card(path, POOL_FORMAT, "a pool of trajectories")
    except ValueError:
        # What is wrong with a file that is neither, this says.
        found = array_files.load_card(path, FORMAT, "a preference dataset")
    validation.check_task_card(found, path)
    return found
