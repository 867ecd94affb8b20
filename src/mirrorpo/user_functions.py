"""Functions in a file of the user's: the one place where such a file is run."""

import difflib
import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mirrorpo.objectives.user_text import UserText

MODULE_PREFIX = "mirrorpo_user_file"


def load(text: str, what: str, option: str) -> Callable[..., Any]:
    """The function of ``FILE.py:FUNCTION``. The file is run, once for each content.

    Args:
        text: the user's own, see `UserText`. Text that comes from a file is refused, so that a
            card or a run folder never runs code.
        what: the function makes or is, as in "task", for messages.
        option: by which the user can name it, as in ``--task``.

    Raises:
        ValueError: text of another origin, no such file, a file that fails when run, or no such
            function.
    """
    path, _, name = text.rpartition(":")
    if not isinstance(text, UserText):
        raise ValueError(
            f"The {what} {text} is code in a file, and a file that is read may not name code to "
            f"run: name it yourself, by {option} {text}."
        )
    module = _run(Path(path), what)
    found: Callable[..., Any] | None = getattr(module, name, None) if name else None
    if callable(found):
        return found
    own = [
        key
        for key, value in vars(module).items()
        if callable(value)
        and not key.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    near = difflib.get_close_matches(name, own, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
        f"{path} has no function {name!r}.{hint} Functions in it: {', '.join(own) or 'none'}."
    )


def digest(text: str) -> str:
    """What tells one content of the file of ``FILE.py:FUNCTION`` from another, 12 digits.

    Raises:
        ValueError: no such file.
    """
    return _digest(_content(Path(text.rpartition(":")[0]), "code"))


def one_line(error: BaseException) -> str:
    """Kind and text of an error, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _content(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"No {what} file at {path}: {error.strerror}.") from None


def _run(path: Path, what: str) -> ModuleType:
    content = _content(path, what)
    name = f"{MODULE_PREFIX}_{_digest(str(path.resolve()).encode())}_{_digest(content)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{path} fails when imported: {one_line(error)}") from error
    return module


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
