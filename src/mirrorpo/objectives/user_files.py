"""Files of code that the user typed: the one place where such a file is run."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from .component import put_back, registered, registrations

MODULE_PREFIX = "mirrorpo_user_file"


def run(path: Path, what: str) -> ModuleType:
    """The module of a file, which is run once for each content.

    The same text gives the same module, so that equal objectives stay equal and are not compiled
    again; an edited file gives a new one.

    Args:
        path: the file.
        what: what it holds, as in "objective", for the message.

    Raises:
        ValueError: no such file; a file that fails when run, or names an objective as another one
            is named.
    """
    content = read(path, what)
    file_id = f"{MODULE_PREFIX}_{digest(str(path.resolve()).encode())}"
    name = f"{file_id}_{digest(content)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    sys.modules[name] = module
    before, everything = registered("objective"), registrations()
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        put_back(everything)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ValueError(f"{path} fails when imported: {one_line(error)}") from error
    for taken, cls in registered("objective").items():
        old = before.get(taken, cls)
        if old is not cls and not old.__module__.startswith(file_id):
            del sys.modules[name]
            put_back(everything)
            raise ValueError(
                f"{path}: the name {taken!r} of {cls.__name__} is taken by another objective; "
                "choose another name."
            )
    return module


def holds(kind: type) -> bool:
    """Whether a class comes from a file that `run` ran."""
    return kind.__module__.startswith(MODULE_PREFIX)


def origin(kind: type) -> str:
    """What tells a class's code from another's: its module, or its file's content alone.

    Of a file that `run` ran, the place says nothing: others have the same file elsewhere.
    """
    content = kind.__module__.rpartition("_")[2]
    return f"{MODULE_PREFIX}_{content}" if holds(kind) else kind.__module__


def read(path: Path, what: str) -> bytes:
    """The content of a file. Arguments as of `run`.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"No {what} file at {path}: {error.strerror}.") from None


def digest(content: bytes) -> str:
    """Digest of a file's content, 12 hex digits."""
    return hashlib.sha256(content).hexdigest()[:12]


def one_line(error: BaseException) -> str:
    """Kind and text of an error, in one line that is not too long."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text:.400}"
