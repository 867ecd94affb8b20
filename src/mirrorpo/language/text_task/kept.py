"""Files of the cache that are made once: read back, or made where they are missing or damaged."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mirrorpo import damage, files, locks

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PartProgress = Callable[[str, float, float], None]
Content = TypeVar("Content", bound="DataclassInstance")


def made_once(
    path: Path, kind: str, content: type[Content], make: Callable[[], Content], report: PartProgress
) -> Content:
    """What a file of the cache holds, made where it is not there, or is damaged."""
    found = read(path, kind, content)
    if found is None:
        files.make_folder(path.parent.parent)
        with locks.alone(path.parent, lambda holder: report(f"waiting for {holder}", 0, 1)):
            found = read(path, kind, content)  # which the process that was waited for has made
            if found is None:
                files.remove_leftovers(path.parent)
                found = make()
                files.write_json(path, asdict(found))
    return found


def read(path: Path, kind: str, content: type[Content]) -> Content | None:
    """None where the file is not there, or is damaged."""
    if not path.is_file():
        return None
    try:
        return files.read_as(path, kind, content)
    except ValueError as error:
        damage.say(f"{error} It is made again.")
        return None
