"""What commands print: one console, one progress bar, one line for an error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mirrorpo.cli.printable import visible
from mirrorpo.progress import Progress


class _Console:
    """`terminal.console`, imported by the first print: `mirrorpo --help` needs no rich."""

    def print(self, *things: Any, **settings: Any) -> None:
        from mirrorpo.cli import terminal

        terminal.console.print(*things, **settings)


console = _Console()


@contextmanager
def progress(unit: str) -> Iterator[Progress]:
    """A `terminal.ProgressBar` with counts of `unit`, elapsed time and time left."""
    from mirrorpo.cli import terminal

    with terminal.progress(unit) as bar:
        yield bar


def warn(message: str) -> None:
    """Print one line on standard error."""
    line = visible(" ".join(message.split()))
    print(f"mirrorpo: {line}", file=sys.stderr)


def fail(message: str, code: int = 2) -> None:
    """Print one line on standard error and exit."""
    warn(message)
    raise SystemExit(code)
