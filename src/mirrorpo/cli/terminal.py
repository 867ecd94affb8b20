"""rich's console and progress bar for what commands print, which take a while to import."""

import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Column, Table

from mirrorpo.cli.printable import escaped

LINE_EVERY_SECONDS = 30.0


class PlainConsole(Console):
    """A console that takes no text for markup and passes no control character on."""

    def __init__(self, **settings: Any):
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def render(self, *given: Any, **named: Any) -> Iterable[Segment]:
        """Give rich's segments, with their control characters escaped."""
        for segment in super().render(*given, **named):
            if segment.control:  # rich's own, of a progress bar
                yield segment
            else:
                yield Segment(escaped(segment.text), segment.style)

    def print(self, *objects: Any, **named: Any) -> None:
        """Print sentences as they are, and all else fitted into the terminal's width.

        The terminal wraps sentences, so that a path or command in one can be copied. Titles are
        fitted too.
        """
        named.setdefault("soft_wrap", all(isinstance(one, str) for one in objects))
        super().print(*objects, **named)


console = PlainConsole()


def new_table(*heads: str, numbers: Collection[str] = (), title: str | None = None) -> Table:
    """An empty table in which text that a column has no room for continues in the next line.

    Args:
        heads: titles of the columns.
        numbers: those whose cells stand at the right, and are never cut.
        title: printed above.
    """
    columns = [
        Column(head, justify="right", no_wrap=True)
        if head in numbers
        else Column(head, overflow="fold")
        for head in heads
    ]
    return Table(*columns, title=title)


class ProgressBar:
    """Progress on standard error: a bar in a terminal, a line now and then in a file."""

    def __init__(self, bar: Progress, unit: str):
        self._bar = bar
        self._task = bar.add_task("", total=None)
        self._unit = unit
        self._began = self._printed = time.monotonic()
        self._at_start: float | None = None

    def __call__(self, done: float, total: float, doing: str) -> None:
        """Show that `done` of `total` units are finished, and what is being done."""
        if self._bar.console.is_terminal:
            self._bar.update(self._task, completed=done, total=total, description=doing)
            return
        now = time.monotonic()
        if self._at_start is None:
            self._at_start = done
        if now - self._printed < LINE_EVERY_SECONDS and done < total:
            return
        self._printed = now
        rate = (done - self._at_start) / max(now - self._began, 1e-9)
        left = f", {_clock((total - done) / rate)} left" if rate > 0 and done < total else ""
        print(
            f"{escaped(doing)}: {done:,.0f} of {total:,.0f} {self._unit} "
            f"after {_clock(now - self._began)}{left}",
            file=sys.stderr,
            flush=True,
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


@contextmanager
def progress(unit: str) -> Iterator[ProgressBar]:
    """A `ProgressBar` with counts of `unit`, elapsed time and time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    terminal = PlainConsole(stderr=True)
    with Progress(
        *columns, console=terminal, refresh_per_second=2, disable=not terminal.is_terminal
    ) as bar:
        yield ProgressBar(bar, unit)
