"""Whether something can be written at a path: asked before the work, not after it."""

import os
import shutil
from pathlib import Path


def check(path: Path | str, what: str) -> None:
    """See that a file or folder can be made at `path`, without making anything.

    Args:
        path: the path of a file or folder, there already or to be made.
        what: how the user names it, such as ``--out FOLDER``; the message begins with it.

    Raises:
        ValueError: a file stands where a folder is needed, the place is read-only, or its disk is
            full.
    """
    path = Path(path)
    place = path if path.is_dir() else path.absolute().parent
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{what}: {place} is a file, so nothing can be written in it.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(
            f"{what}: nothing can be written in {place} (read-only, or not yours). Name "
            "another place."
        )
    space = shutil.disk_usage(place)
    if space.free == 0 and space.total > 0:
        raise ValueError(f"{what}: the disk of {place} is full. Name another place.")
