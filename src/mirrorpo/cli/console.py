"""What commands print: one console, one progress bar, one line for an error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_SECONDS = 30.0

console = Console(highlight=False, soft_wrap=True)


def fail(message: str, code: int = 2) -> None:
    """Print one line on standard error and exit."""
    line = " ".join(message.split())
    print(f"mirrorpo: {line}", file=sys.stderr)
    raise SystemExit(code)


class Report:
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
            f"{doing}: {done:,.0f} of {total:,.0f} {self._unit} "
            f"after {_clock(now - self._began)}{left}",
            file=sys.stderr,
            flush=True,
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


@contextmanager
def progress(unit: str) -> Iterator[Report]:
    """A `Report` with counts of `unit`, elapsed time and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    terminal = Console(stderr=True)
    with Progress(
        *columns, console=terminal, refresh_per_second=2, disable=not terminal.is_terminal
    ) as bar:
        yield Report(bar, unit)


def start_jax() -> None:
    """All cores as devices, and compiled programs kept for the next command."""
    import contextlib
    import importlib
    import io
    import logging
    import warnings

    # brax announces its missing optional back ends and its own state of maintenance.
    warnings.filterwarnings("ignore", module="brax")
    logging.getLogger("absl").setLevel(logging.ERROR)

    from mirrorpo.runtime.devices import keep_compiled_programs, use_all_cores

    use_all_cores()
    with contextlib.redirect_stdout(io.StringIO()):
        # MuJoCo prints that its optional GPU back end is not installed.
        importlib.import_module("mujoco.mjx")
    keep_compiled_programs()
