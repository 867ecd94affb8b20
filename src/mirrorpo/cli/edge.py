"""The edge of every command: what goes wrong within ends here, in one line and an exit code."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

from mirrorpo import runs
from mirrorpo.cli import faults, signals
from mirrorpo.cli.console import fail
from mirrorpo.cli.printable import printable_streams
from mirrorpo.divergence import EXIT_CODE, Diverged

TRACEBACK = "MIRRORPO_TRACEBACK"
"""Environment variable: set, an error keeps its traceback."""

_BROKEN_PIPE = 128 + 13
"""As of SIGPIPE, which Windows has no number for."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Run a command: it ends in one line on standard error and an exit code.

    The code is 2 for a user's mistake or a fault of the machine, 3 for training that diverged, 128
    and the signal's number for a signal. A run that failed before it began leaves no folder behind.
    """
    printable_streams()
    try:
        with signals.as_interrupts():
            try:
                yield
                sys.stdout.flush()  # a full disk or a closed pipe is found here, not at exit
            except BaseException:
                runs.forget_unstarted()
                raise
    except Diverged as error:
        fail(str(error), EXIT_CODE)
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, signals.Stopped) else signal.SIGINT
        fail(signals.explain(number), 128 + number)
    except BrokenPipeError:
        _without_output()
        raise SystemExit(_BROKEN_PIPE) from None
    except Exception as error:
        line = faults.explain(error)
        if line is None and isinstance(error, (ValueError, ImportError)):
            line = str(error)
        if line is None or os.environ.get(TRACEBACK):
            raise
        if isinstance(error, OSError) and not _is_open():
            _without_output()
        fail(line)


def _is_open() -> bool:
    """Whether standard output still takes what is written to it."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _without_output() -> None:
    """Nobody reads standard output, or its disk is full: Python must not flush it at exit."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
