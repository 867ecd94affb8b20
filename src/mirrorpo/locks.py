"""One process at a time in a folder: locks that end with the process that holds them.

On POSIX a lock is `fcntl.flock` on a small file, which names the holder. The kernel lets go of it
when its holder dies, however it dies. Where there is no `flock`, on Windows and on file systems
that refuse it, the portable fallback is a file that only one process can create (`O_EXCL`): it is
taken over when it names a process of this machine that no longer runs, and has to be removed by
hand otherwise.
"""

import contextlib
import dataclasses
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from mirrorpo import bounded, files, versions

if sys.platform != "win32":
    import fcntl

NAME, FALLBACK_NAME = ".lock", ".locked"
"""Names of a folder's lock, within the folder, while a process holds it."""

_POLL_SECONDS = 0.2
_MOST = 1 << 16  # bytes of what a lock says
_NO_FLOCK = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)

_held: dict[Path, "_Lock"] = {}
_at_the_end: ContextVar[contextlib.ExitStack | None] = ContextVar("_at_the_end", default=None)


@contextlib.contextmanager
def holding() -> Iterator[None]:
    """Release at the end every folder that `hold` locks inside this context.

    Of several inside each other the outermost decides, so that a command keeps its folder until
    it has written its last file. Also a decorator.
    """
    if _at_the_end.get() is not None:
        yield
        return
    with contextlib.ExitStack() as stack:
        token = _at_the_end.set(stack)
        try:
            yield
        finally:
            _at_the_end.reset(token)


def hold(folder: Path) -> None:
    """Be the only process that writes to an existing folder, until `holding` ends.

    Outside of `holding`, until this process ends. A folder that cannot be written needs no lock.
    Where the folder is removed in between, nothing more is written, and it is not made again.

    Raises:
        ValueError: another process holds it; the message names the process and its machine.
    """
    place = folder.resolve()
    _hold(place / NAME, folder)
    if place / NAME in _held:
        files.guard(place)


def hold_beside(path: Path) -> None:
    """Be the only process that makes a file, or a folder that is made whole, as `hold` a folder.

    The lock lies beside it. Folders above it that do not exist are made, and removed with the lock
    where they are still empty.

    Raises:
        ValueError: as `hold`.
    """
    above = [folder for folder in path.absolute().parents if not folder.exists()]
    files.make_folder(path.parent)
    stack = _at_the_end.get()
    if stack is not None:
        stack.callback(_remove_empty, above)
    _hold(_beside(path), path)


def _hold(path: Path, what: Path) -> None:
    stack = _at_the_end.get()
    if path in _held:
        owner = _held[path].stack
        if owner is None or owner is stack:
            return
        raise ValueError(_refusal(what, "another thread of this process"))
    try:
        lock = _take(path)
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            return
        raise
    if lock is None:
        raise ValueError(_refusal(what, holder(path)))
    _held[path] = dataclasses.replace(lock, stack=stack)
    if stack is not None:
        stack.callback(_let_go, path)


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Be the only process that makes a file or folder that several may want.

    Args:
        path: what is made; the lock lies beside it.
        waiting: called every few moments with the holder that this process waits for.
    """
    beside = _beside(path)
    while (lock := _take(beside)) is None:
        waiting(holder(beside))
        time.sleep(_POLL_SECONDS)
    _held[beside] = lock
    try:
        yield
    finally:
        _let_go(beside)


@contextlib.contextmanager
def briefly(descriptor: int) -> Iterator[None]:
    """Lock an open file briefly, where the system supports it."""
    if sys.platform == "win32":
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_FLOCK:
            raise
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def holder(path: Path) -> str:
    """Who holds a lock, in words: the process, its machine, and what it runs."""
    found = _read(path) or _read(_fallback(path))
    if found is None:
        return "another process"
    command = f" ({found['command']})" if found.get("command") else ""
    return f"process {found['pid']} on {found['host']}{command}, since {found['since']}"


def _beside(path: Path) -> Path:
    """The lock of what is made whole: in its folder, whatever links lead there."""
    return path.parent.resolve() / f".{path.name}{NAME}"


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # something is in it, or another has removed it
            folder.rmdir()


def _refusal(what: Path, who: str) -> str:
    return f"{what} is in use by {who}. Wait until it has ended, stop it, or choose another --out."


@dataclasses.dataclass(frozen=True)
class _Lock:
    """A lock of this process: its open file, and the stack that releases it at the end."""

    path: Path
    descriptor: int
    stack: contextlib.ExitStack | None = None


class _NoFlockError(Exception):
    """The file system knows no `flock`."""


def _take(path: Path) -> _Lock | None:
    """A lock that is now this process's; None where another holds it."""
    try:
        descriptor = _take_by_flock(path)
    except _NoFlockError:
        path = _fallback(path)
        descriptor = _take_by_creation(path)
    return None if descriptor is None else _Lock(path, descriptor)


def _fallback(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(NAME) + FALLBACK_NAME)


def _take_by_flock(path: Path) -> int | None:
    if sys.platform == "win32":
        raise _NoFlockError
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A holder removes the file before it lets go: what was locked may be that one.
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                _introduce(descriptor)
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            if error.errno in _NO_FLOCK:
                path.unlink(missing_ok=True)
                raise _NoFlockError from None
            raise
        os.close(descriptor)


def _take_by_creation(path: Path) -> int | None:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if not _is_dead(_read(path)):
                return None
            path.unlink(missing_ok=True)
            continue
        _introduce(descriptor)
        return descriptor


def _introduce(descriptor: int) -> None:
    """Write down who holds a lock."""
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": versions.command_line(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(owner).encode())


def _read(path: Path) -> dict[str, object] | None:
    """The holder that a lock's file names; None where it names none yet."""
    try:
        found = bounded.parse_json(bounded.read_text(path, "a lock", _MOST))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and {"pid", "host", "since"} <= found.keys()
    return found if known else None


def _is_dead(owner: dict[str, object] | None) -> bool:
    """Whether a holder is known to have died; on Windows nobody is."""
    if owner is None or owner["host"] != socket.gethostname() or sys.platform == "win32":
        return False
    pid = owner["pid"]
    if not isinstance(pid, int) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _let_go(path: Path) -> None:
    if path.name == NAME:
        files.unguard(path.parent)
    lock = _held.pop(path)
    if sys.platform == "win32":  # where an open file cannot be removed
        os.close(lock.descriptor)
        lock.path.unlink(missing_ok=True)
        return
    lock.path.unlink(missing_ok=True)
    os.close(lock.descriptor)


def _forget() -> None:
    """A forked child must not keep a lock beyond its parent's death."""
    for path, lock in _held.items():
        if path.name == NAME:
            files.unguard(path.parent)
        os.close(lock.descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
