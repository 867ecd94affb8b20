"""What is said of damaged files: a warning of one line, never a silent loss."""

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any


class DamageWarning(UserWarning):
    """Something on disk was damaged. It was left out, and is made again where it can be."""


def say(message: str) -> None:
    """Warn that something damaged was left out; the command line prints the line as it is."""
    warnings.warn(DamageWarning(message), stacklevel=3)


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Print what `say` says as one line on standard error, every time, as a command does."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *args: Any, **named: Any) -> None:
            if issubclass(category, DamageWarning):
                print(f"mirrorpo: {' '.join(str(message).split())}", file=sys.stderr)
            else:
                others(message, category, *args, **named)

        warnings.showwarning = show
        warnings.simplefilter("always", DamageWarning)
        yield
