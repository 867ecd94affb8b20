"""A command in a process of its own that has so many seconds: its lines of JSON as they come."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEASURED, FAILED, TIMED_OUT = "measured", "failed", "timed out"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: "measured", "failed" or "timed out".
        seconds: that it took.
        note: why it was killed, or the last line that it said, objects apart.
    """

    status: str
    seconds: float
    note: str = ""


def run(
    command: Sequence[str],
    limit: float,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    take: Callable[[dict[str, Any]], None],
) -> Ended:
    """Run a command and hand on each JSON object that it prints as a line, at once.

    Args:
        command: program and arguments.
        limit: seconds, after which it is killed, and every process that it started.
        environment: the process's environment variables.
        folder: the working folder.
        log: file for all it prints that is no JSON object.
        take: called with each object.
    """
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as kept:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(environment),
            cwd=folder,
            start_new_session=os.name == "posix",
        )
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            while (line := lines.get(timeout=max(began + limit - time.monotonic(), 0))) is not None:
                found = _object(line)
                if found is None:
                    kept.write(line)
                else:
                    take(found)
            code = process.wait(max(began + limit - time.monotonic(), 0.1))
        except (queue.Empty, subprocess.TimeoutExpired):
            note = f"killed after its {limit:.0f} seconds"
            return Ended(TIMED_OUT, time.monotonic() - began, note)
        finally:
            _kill(process)
    seconds = time.monotonic() - began
    said = (log.read_text(encoding="utf-8").strip().splitlines() or [""])[-1][:300]
    if code:
        return Ended(FAILED, seconds, f"code {code}: {said or 'no message'}")
    return Ended(MEASURED, seconds, said)


def _read(process: Any, lines: "queue.Queue[str | None]") -> None:
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _kill(process: Any) -> None:
    """The process and, where the system has groups, all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
