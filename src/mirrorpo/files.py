"""Files that are never half-written, and errors that say which file is wrong and what to do."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mirrorpo import bounded, typed

Row = TypeVar("Row")

_LONGEST_NAME = 150

WITH_CARD = ".safetensors"
"""How the names of files end that have a card beside them, of the same name with .json."""

BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
"""What reading a damaged zip archive raises: a RuntimeError where it seems to be encrypted,
or to want what Python does not know."""

PART = ".part"
"""How the names of what is being written end."""

_guarded: set[Path] = set()


def asset(*parts: str) -> Path:
    """A file or folder that comes with the package, by its path in assets/."""
    return Path(__file__).parent.joinpath("assets", *parts)


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all.

    `write` is called with the path of a file in a temporary folder beside `path`. The file is
    synced to disk and renamed to `path`, and the folder is synced. What a kill leaves behind,
    `remove_leftovers` finds. The file has the permissions that the user's umask gives a new one.
    """
    _put(Path(path), write)


def write_folder_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Write a folder that does not exist whole or not at all, as `write_atomically` a file.

    `write` is called with the path of an empty folder.
    """

    def fill(folder: Path) -> None:
        folder.mkdir()
        write(folder)

    _put(Path(path), fill)


def _put(path: Path, write: Callable[[Path], object]) -> None:
    make_folder(path.parent)
    # A folder and not a file: some writers make temporary files of their own beside theirs.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    part.mkdir()
    try:
        with naming(path):
            new = part / path.name
            write(new)
            if new.is_file():
                # Some writers make files that only their owner may read.
                new.chmod(part.stat().st_mode & 0o666)
            sync_tree(new)
            os.replace(new, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within it, an error of the system that names no file names this one.

    A write to an open file that finds the disk full names none.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes have left half-written, where this process alone writes.

    Args:
        folder: to look in, with all folders within it.
        name: how the names of the files begin whose leftovers are meant, in the folder itself;
            None for all files.
    """
    found = (
        folder.rglob(f".*{PART}") if name is None else folder.glob(f".{glob.escape(name)}*{PART}")
    )
    for part in [*found]:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def guard(folder: Path) -> None:
    """Do not make an existing folder again where it is removed, until `unguard`.

    Args:
        folder: resolved.
    """
    _guarded.add(folder)


def unguard(folder: Path) -> None:
    """End what `guard` began, if it did."""
    _guarded.discard(folder)


def _refuse_lost(folder: Path) -> None:
    if not _guarded:
        return
    resolved = folder.resolve()
    for lost in (resolved, *resolved.parents):
        if lost in _guarded and not lost.is_dir():
            raise ValueError(
                f"{lost} was removed while this command was writing to it, so it stopped. Put the "
                "folder back, and the same command resumes; without it, it starts over."
            )


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they do not exist; synced to disk.

    Raises:
        ValueError: it is in a guarded folder, which was removed.
    """
    _refuse_lost(folder)
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Sync a file's content, or a folder's names, to disk."""
    if path.is_dir() and sys.platform == "win32":
        return  # whose folders cannot be opened
    # Windows syncs what is open for writing; elsewhere a file may be there to read alone.
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a file system that syncs no folders
            raise
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Sync a file, or all that is in a folder."""
    for found in path.rglob("*") if path.is_dir() else ():
        if found.exists():  # a link may lead nowhere
            sync(found)
    sync(path)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path | str, content: Any) -> None:
    """Write readable JSON atomically."""
    write_text(path, json.dumps(content, indent=2, sort_keys=False) + "\n")


def as_json(content: Any) -> Any:
    """`content` as JSON would give it back: tuples become lists, and so on."""
    return json.loads(json.dumps(content))


def read_json(path: Path | str, what: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: missing, or not JSON; the message names the file and `what` it should be.
    """
    path = Path(path)
    try:
        return bounded.parse_json(bounded.read_text(path, what))
    except FileNotFoundError:
        raise ValueError(f"Cannot read {what} at {path}: the file does not exist.") from None
    except IsADirectoryError:
        raise ValueError(f"Cannot read {what} at {path}: it is a folder.") from None
    except ValueError as error:
        raise ValueError(
            f"{path} is not {what}: it is not valid JSON ({error}). It may be truncated or "
            "another kind of file."
        ) from None


def read_object(path: Path | str, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: as `read_json`, or the file holds a list, a text, a number or null.
    """
    found = read_json(path, what)
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not {what}: it holds no JSON object.")
    return found


def read_as(path: Path | str, what: str, kind: type[Row]) -> Row:
    """Read a JSON object as a `kind`; see `typed.build`.

    Raises:
        ValueError: as `read_json`, or the file holds no `kind`.
    """
    try:
        return typed.build(kind, read_object(path, what))
    except typed.WrongTypeError as error:
        raise ValueError(f"{path} is not {what}: {error}.") from None


def read_rows(path: Path | str, what: str, kind: type[Row]) -> list[Row]:
    """Read a JSON list of objects, each as a `kind`; see `typed.build`.

    Raises:
        ValueError: as `read_json`; not a list; or a row that is no `kind`.
    """
    found = read_json(path, what)
    if not isinstance(found, list):
        raise ValueError(f"{path} is not {what}: it holds no JSON list.")
    try:
        return [typed.build(kind, row) for row in found]
    except typed.WrongTypeError as error:
        raise ValueError(f"{path} is not {what}: {error}.") from None


def write_with_card(path: Path, write: Callable[[Path], object], card: Mapping[str, Any]) -> None:
    """Write a file that says all about itself, and beside it a readable card with its checksum.

    Whenever this is killed, the file is whole, and a card that is there beside it is that of the
    file. A new file comes after its card, so that it is never without one. To replace a file, the
    old card goes first and the new one comes last.

    Args:
        path: the path of the file; the card has the same name with the ending .json.
        write: writes the file, atomically.
        card: what the card says, as JSON.

    Raises:
        ValueError: at the card's path is a file that is no card.
    """
    check_place_of_card(path)
    beside = path.with_suffix(".json")
    if os.path.lexists(path):
        if beside.exists():
            beside.unlink()
            sync(beside.parent)
        write(path)
        write_json(beside, {**card, "sha256": checksum(path)})
        return

    def write_both(part: Path) -> None:
        write(part)
        write_json(beside, {**card, "sha256": checksum(part)})

    write_atomically(path, write_both)


def check_place_of_card(path: Path) -> None:
    """See that no file of another's is where the card of `path` belongs.

    Where the file itself is there, what lies beside it is its card, sound or not.

    Raises:
        ValueError: there is one.
    """
    beside = path.with_suffix(".json")
    if path.exists() or not os.path.lexists(beside):
        return
    try:
        is_card = "sha256" in read_object(beside, "a card")
    except ValueError:
        is_card = False
    if not is_card:
        raise ValueError(
            f"{beside} exists already, and is no card of MirrorPO: the card of {path.name} would "
            "overwrite it. Name another file, or move that one."
        )


def check_card(path: Path, what: str) -> None:
    """See that a file is the one that the card beside it, if there is one, was written with.

    Raises:
        ValueError: the card is damaged, or has another checksum.
    """
    beside = path.with_suffix(".json")
    if beside == path or not beside.is_file():
        return
    expected = read_object(beside, f"the card of {what}").get("sha256")
    if expected not in (None, checksum(path)):
        raise ValueError(
            f"{path} does not match the checksum on its card {beside}: one of the two is damaged "
            "or was changed. Restore both from the same source, or make them again."
        )


def check_version(path: Path | str, card: Mapping[str, Any], newest: int) -> None:
    """Raise ValueError where a card's format version is newer than `newest`, or is not a number."""
    found = card.get("format_version", 0)
    if not isinstance(found, int) or isinstance(found, bool):
        raise ValueError(f"{path} is damaged: its format version is {found!r:.40}.")
    if found > newest:
        raise ValueError(
            f"{path} was written by a newer MirrorPO (format {found}; this one reads up to "
            f"{newest}). Update MirrorPO."
        )


def file_name(text: str) -> str:
    """A name of anything as the name, or the beginning of the name, of a file."""
    name = re.sub(r"[^\w.-]+", "-", text).strip("-.") or "unnamed"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    # File systems take 255 bytes, and endings come on top. What is cut is told apart by its digest.
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{name.encode()[: _LONGEST_NAME - 13].decode('utf-8', 'ignore')}-{digest}"


def digest(content: Any) -> str:
    """SHA-256 of plain values, by the same text of them as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def checksum(path: Path | str) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Raises:
        ValueError: there is no such file.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ValueError(f"Cannot read {path}: the file does not exist.") from None
