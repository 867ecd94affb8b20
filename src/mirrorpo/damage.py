"""What is said of damaged files: a warning of one line, never a silent loss."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any


class DamageWarning(UserWarning):
    """Something on disk was damaged. It was left out, and is made again where it can be."""


def say(message: str) -> None:
    """Warn that something damaged was left out; the command line prints the line as it is."""
    warnings.warn(DamageWarning(message), stacklevel=3)


@contextlib.contextmanager
def printed(show_line: Callable[[str], None]) -> Iterator[None]:
    """Pass what `say` says to `show_line`, every time, as a command does."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *args: Any, **named: Any) -> None:
            if issubclass(category, DamageWarning):
                show_line(str(message))
            else:
                others(message, category, *args, **named)

        warnings.showwarning = show
        warnings.simplefilter("always", DamageWarning)
        yield
