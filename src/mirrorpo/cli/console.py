"""What commands print: one console, one progress bar, one line for an error."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mirrorpo.cli.printable import escaped
from mirrorpo.progress import Progress

if TYPE_CHECKING:
    from rich.table import Table


class _Console:
    """`terminal.console`, imported by the first print: `mirrorpo --help` needs no rich."""

    def print(self, *things: Any, **settings: Any) -> None:
        from mirrorpo.cli import terminal

        terminal.console.print(*things, **settings)


console = _Console()


def new_table(*heads: str, numbers: Collection[str] = (), title: str | None = None) -> "Table":
    """An empty `terminal.new_table`."""
    from mirrorpo.cli import terminal

    return terminal.new_table(*heads, numbers=numbers, title=title)


@contextmanager
def progress(unit: str) -> Iterator[Progress]:
    """A `terminal.ProgressBar` with counts of `unit`, elapsed time and time left."""
    from mirrorpo.cli import terminal

    with terminal.progress(unit) as bar:
        yield bar


def warn(message: str) -> None:
    """Print one line on standard error."""
    line = escaped(" ".join(message.split()))
    print(f"mirrorpo: {line}", file=sys.stderr)


def fail(message: str, code: int = 2) -> None:
    """Print one line on standard error and exit."""
    warn(message)
    raise SystemExit(code)
