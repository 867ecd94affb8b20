"""Whether something can be written at a path: asked before the work, not after it."""

import os
import shutil
from pathlib import Path

from mirrorpo import bounded, files

_PART = bounded.MEBIBYTE


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


def check_new(path: Path | str, what: str, *endings: str) -> None:
    """See that a new file can be made at `path`, and its card beside it.

    Args:
        path: the path of the file.
        what: how the user names it; the message begins with it.
        endings: what its name may end in; anything where none is given.

    Raises:
        ValueError: another ending, something is there already, or nothing can be written there.
    """
    path = Path(path)
    if endings and path.suffix not in endings:
        raise ValueError(f"{what}: end the name in {' or '.join(endings)}.")
    if os.path.lexists(path):
        raise ValueError(f"{what} exists already: nothing is overwritten.")
    if path.suffix == files.WITH_CARD:
        files.check_place_of_card(path)
    check(path, what)


def check_new_folder(path: Path | str, what: str) -> None:
    """See that a new folder can be made at `path`, which may be an empty one.

    Args:
        path: the path of the folder.
        what: how the user names it; the message begins with it.

    Raises:
        ValueError: something is there already, or nothing can be written there.
    """
    path = Path(path)
    if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{what} is not a new folder: nothing is overwritten.")
    check(path, what)


def check_replaceable(path: Path | str, what: str, mark: str) -> None:
    """See that `path` is free, or holds an earlier file of the same kind, which may be replaced.

    Args:
        path: the path of the file.
        what: how the user names it; the message begins with it.
        mark: a text that every file of the kind holds.

    Raises:
        ValueError: another's file is there, a folder, or nothing can be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{what} is a folder: name a file.")
    if path.is_file() and not _holds(path, mark.encode()):
        raise ValueError(
            f"{what} exists already, and is not what this command writes: it is not overwritten. "
            "Name another file."
        )
    check(path, what)


def _holds(path: Path, text: bytes) -> bool:
    """Whether a file holds a text; it is read in parts."""
    with path.open("rb") as file:
        before = b""
        while part := file.read(_PART):
            if text in before + part:
                return True
            before = part[-len(text) :]
    return False
