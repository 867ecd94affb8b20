"""Functions in a user's file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorpo import near_names
from mirrorpo.objectives import user_files
from mirrorpo.user_text import UserText


def load(text: str, what: str, option: str) -> Callable[..., Any]:
    """The function of ``FILE.py:FUNCTION``. The file is run, once for each content.

    Args:
        text: the text, which must be the user's own, see `UserText`. Text that comes from a file is
            refused, so that a card or a run folder never runs code.
        what: what the function makes or is, as in "task", for messages.
        option: the option by which the user can name the function, as in ``--task``.

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
    module = user_files.run(Path(path), what)
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
    hint = near_names.hint(name, own)
    raise ValueError(
        f"{path} has no function {name!r}.{hint} Functions in it: {', '.join(own) or 'none'}."
    )


def digest(text: str) -> str:
    """Digest of the content of the file in ``FILE.py:FUNCTION``, 12 hex digits.

    Raises:
        ValueError: no such file.
    """
    return user_files.digest(user_files.read(Path(text.rpartition(":")[0]), "code"))
