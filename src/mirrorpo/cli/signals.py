"""Ctrl-C and its kin: a command that is told to stop does stop, soon and with one line.

Three things stand in the way. Python runs a signal's handler only between two of its own
instructions, which a compiled program may keep away for minutes. It swallows an interrupt that
arrives in a finaliser or in a callback of the garbage collector, of which JAX has one. And SIGTERM
ends a process without a word.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

GRACE_SECONDS = 1.5
"""For compiled code to return after a signal. All files are safe against a kill."""

_AGAIN_SECONDS = 0.02
_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to stop."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def explain(number: int) -> str:
    """The line that a stopped command ends with."""
    name = "Interrupted" if number == signal.SIGINT else f"Stopped by {signal.Signals(number).name}"
    return f"{name}. The same command resumes where it stopped."


def _leave(number: int) -> None:
    """End the process here and now, as the edge would."""
    os.write(2, f"mirrorpo: {explain(number)}\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def as_interrupts() -> Iterator[None]:
    """Within it SIGINT, SIGTERM and SIGHUP raise `Stopped` in the main thread.

    An interrupt that is swallowed is raised again. Where it is swallowed each time, or compiled
    code does not return, the process ends after `GRACE_SECONDS`, with the line and the exit code
    that it would end with. Against compiled code that keeps Python's lock nothing can be done.
    A signal that the process was started to ignore, as by nohup, stays ignored. In another thread
    than the main one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _watch
    before, _watch = _watch, _Watch()
    _watch.begin()
    try:
        yield
    finally:
        _watch.end()
        _watch = before


def _in_a_child() -> None:
    """A forked process is its parent's to stop, and must not write to its parent's pipe."""
    if _watch is not None:
        _watch.leave()


class _Watch:
    """What `as_interrupts` changes, and changes back."""

    def __init__(self) -> None:
        self._raised = threading.Event()
        self._swallowed = self._in_hook = self._sent_again = False
        self._swallowed_since: float | None = None
        self._turn = 0
        self._handlers: dict[int, Any] = {}
        self._unraisable = sys.unraisablehook
        self._pipe: tuple[int, int] | None = None
        self._wakeup = -1

    def begin(self) -> None:
        for name in _STOPPING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._stop)
        sys.unraisablehook = self._not_swallowed
        if not hasattr(os, "set_blocking"):  # Windows: a signal waits for compiled code to return
            return
        self._pipe = read, write = os.pipe()
        os.set_blocking(write, False)
        self._wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._see_to_it, args=(read,), daemon=True).start()

    def leave(self) -> None:
        if self._pipe is not None:
            signal.set_wakeup_fd(self._wakeup)
        sys.unraisablehook = self._unraisable
        for number, handler in self._handlers.items():
            # None stands for a handler that Python did not set, and cannot set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def end(self) -> None:
        self.leave()
        if self._pipe is not None:
            os.close(self._pipe[1])  # which ends the thread

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._raised.set()
        if self._in_hook:  # would be lost there; `_again` comes once more
            return
        if self._sent_again and not self._swallowed:  # one too many, while the first is on its way
            self._sent_again = False
            return
        self._swallowed = False
        raise Stopped(number)

    def _not_swallowed(self, unraisable: Any) -> None:
        """Python is about to drop an exception: an interrupt is sent again, from outside."""
        error = unraisable.exc_value
        if not isinstance(error, KeyboardInterrupt):
            self._unraisable(unraisable)
            return
        self._in_hook = self._swallowed = True
        try:
            number = error.number if isinstance(error, Stopped) else int(signal.SIGINT)
            now = time.monotonic()
            self._swallowed_since = self._swallowed_since or now
            if now - self._swallowed_since > GRACE_SECONDS:
                _leave(number)
            self._turn += 1
            threading.Thread(target=self._again, args=(number, self._turn), daemon=True).start()
        finally:
            self._in_hook = False

    def _again(self, number: int, turn: int) -> None:
        """Send a signal until it is raised, to the main thread.

        The thread may wait in a call of the system that only a signal of its own ends.
        """
        main = threading.main_thread().ident
        while main is not None:
            time.sleep(_AGAIN_SECONDS)
            if not self._swallowed or turn != self._turn:
                return
            self._sent_again = True
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(main, number)
            else:  # Windows
                signal.raise_signal(number)

    def _see_to_it(self, read: int) -> None:
        """In a thread of its own: the signals' numbers arrive here whatever the main one does."""
        try:
            while received := os.read(read, 1):
                number = received[0]
                if number in self._handlers and not self._raised.wait(GRACE_SECONDS):
                    _leave(number)
                self._raised.clear()
        finally:
            os.close(read)


_watch: _Watch | None = None
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
