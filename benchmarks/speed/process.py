"""A measurement in a process of its own, whose compiled programs nobody has made before it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from mirrorpo import json_lines

PROBE = Path(__file__).parent / "probe.py"


class Measure(Protocol):
    """Measures, as `measure` does; or knows what it would find."""

    def __call__(self, name: str, cache: str | None = None, **settings: Any) -> dict[str, Any]: ...


class Kept:
    """`measure`, whose findings are lines of a file as soon as they are made.

    What the file has is not measured again, if it was found in the same circumstances; what could
    not be measured is tried again.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]):
        """Read what there is.

        Args:
            path: the file, which need not exist.
            about: the circumstances: sizes, machine, versions, commit.
        """
        self._path = path
        self._about = json.loads(json.dumps(about))
        rows = json_lines.read(path) if path.is_file() else []
        self._found = {
            _key(row["name"], row["settings"]): row["found"]
            for row in rows
            if row["about"] == self._about and "note" not in row["found"]
        }

    def __call__(self, name: str, cache: str | None = None, **settings: Any) -> dict[str, Any]:
        key = _key(name, settings)
        if key not in self._found:
            began = time.monotonic()
            found = measure(name, cache, **settings)
            row = {"name": name, "settings": settings, "found": found, "about": self._about}
            json_lines.append(self._path, {**row, "wall_seconds": time.monotonic() - began})
            self._found[key] = found
        return dict(self._found[key])


def _key(name: str, settings: Mapping[str, Any]) -> str:
    return json.dumps([name, settings], sort_keys=True)


def measure(name: str, cache: str | None = None, **settings: Any) -> dict[str, Any]:
    """What a measurement of `probe.py` finds, or a note that says why there is no figure.

    Args:
        name: the name of the measurement.
        cache: MirrorPO's cache folder for it; None for a new and empty one.
        settings: the settings of the measurement.
    """
    if str(settings.get("by")).startswith("torch") and find_spec("torch") is None:
        return {"note": "PyTorch is not installed"}
    if name == "language-trainers" and find_spec("trl") is None:
        return {"note": "TRL is not installed"}
    if name == "scaling" and find_spec("ray") is None:
        return {"note": "Ray is not installed"}
    with tempfile.TemporaryDirectory() as empty:
        folder = cache or empty
        environment = {**os.environ, "MIRRORPO_CACHE": folder}
        # Python's own cache lies beside, so that a warm start is one for Python, too.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        # JAX's own cache of compiled programs, for those that are not MirrorPO.
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        done = subprocess.run(
            [sys.executable, str(PROBE), name, json.dumps(settings)],
            capture_output=True,
            text=True,
            env=environment,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"note": f"failed with code {done.returncode}: {reason}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
