"""Where a function writes its run: in the caller's folder, or in one that goes with the result."""

from __future__ import annotations

import enum
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrorpo import files, locks, places, runs, typed
from mirrorpo.progress import Progress as Progress
from mirrorpo.progress import silent as silent

PathLike = str | os.PathLike[str]
"""A path, as Python's own functions take it."""


class ByName(enum.Enum):
    """The folder that the command line takes where it is given none."""

    BY_NAME = "runs/COMMAND-NAME"


BY_NAME = ByName.BY_NAME
Out = str | os.PathLike[str] | ByName | None
"""A run's folder; None for a temporary one."""


def as_path(value: PathLike, name: str) -> Path:
    """A path that a caller gives for the argument `name`.

    Raises:
        ValueError: something else.
    """
    found: Path = typed.check(value, Path, name)
    return found


def as_text(value: PathLike, name: str) -> str:
    """The text of a path or name that a caller gives for the argument `name`, as it is.

    Raises:
        ValueError: something else.
    """
    as_path(value, name)
    return os.fspath(value)


class RunFolder:
    """The folder that holds a result's files.

    Attributes:
        path: the path of the folder.
        is_temporary: whether it is removed when nothing refers to this any more, at the latest
            when Python ends.
    """

    def __init__(self, path: Path, is_temporary: bool = False):
        self.path = path
        self.is_temporary = is_temporary
        if is_temporary:
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)

    def copy_to(self, folder: PathLike) -> Path:
        """Copy all files to a new folder, which then is a run like any other.

        Raises:
            ValueError: there is something at that place already, or it cannot be written.
        """
        to = as_path(folder, "folder")
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise ValueError(f"{to} exists already: nothing is overwritten. Name a new folder.")
        places.check(to, str(to))
        files.write_folder_atomically(
            to,
            lambda part: shutil.copytree(
                self.path,
                part,
                ignore=shutil.ignore_patterns(locks.NAME, locks.FALLBACK_NAME),
                dirs_exist_ok=True,
            ),
        )
        return to


class ResultInFolder:
    """A result whose files lie in a run folder."""

    _folder: RunFolder

    @property
    def folder(self) -> Path:
        """Where its files are: for as long as this result is there, if no folder was named."""
        return self._folder.path

    def save(self, folder: PathLike) -> Path:
        """Copy the run to a new folder.

        `mirrorpo report` reads it, and so does `load` where there is one.

        Raises:
            ValueError: something is there already, or the place cannot be written.
        """
        return self._folder.copy_to(folder)


def choose(out: Out, command: str, name: str) -> RunFolder:
    """A run's folder.

    Args:
        out: as the caller gave it.
        command: that makes the run.
        name: end of the folder's name where the command line chooses it.
    """
    if out is None:
        return RunFolder(Path(tempfile.mkdtemp(prefix=f"mirrorpo-{command}-")), True)
    if isinstance(out, ByName):
        return RunFolder(runs.default_out(command, name))
    return RunFolder(as_path(out, "out"))


def opened(folder: PathLike) -> RunFolder:
    """The folder of a finished run; a published run, results/NAME, is unpacked to a temporary one.

    Raises:
        ValueError: no published run of that name, or damaged results.
    """
    from mirrorpo.reporting.published import unpacking

    path = as_path(folder, "folder")
    place = unpacking.find(path)
    if place is None:
        return RunFolder(path)
    results, name = place
    found = RunFolder(Path(tempfile.mkdtemp(prefix="mirrorpo-results-")), is_temporary=True)
    unpacking.Results(results).unpack(name, found.path)
    return found


@contextmanager
def writing(folder: RunFolder) -> Iterator[Path]:
    """Hold a folder while a run is written to it; one that fails before it began leaves nothing."""
    with runs.holding():
        try:
            yield folder.path
        except BaseException:
            runs.forget_unstarted(folder.path)
            raise
