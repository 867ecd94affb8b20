"""The mark of text that a user typed, which alone may name code to run."""


class UserText(str):
    """Text that the user typed on this command line, or wrote in their own call from Python.

    Only `UserText` may name a file of code. Text that is read from a file is a plain `str`, and
    cannot become `UserText` on the way: JSON, YAML, `str.strip` and the like give plain text.
    Command lines and the functions that take a program's own text mark it; nothing else may.
    """

    __slots__ = ()


def users_own(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Mark several at once."""
    return tuple(map(UserText, texts))
