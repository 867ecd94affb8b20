"""A measurement in a process of its own, whose compiled programs nobody has made before it."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parent / "probe.py"


def measure(name: str, cache: str | None = None, **settings: Any) -> dict[str, Any]:
    """What a measurement of `probe.py` finds, or a note that says why there is no figure.

    Args:
        name: the name of the measurement.
        cache: MirrorPO's cache folder for it; None for a new and empty one.
        settings: the settings of the measurement.
    """
    if str(settings.get("by")).startswith("torch") and find_spec("torch") is None:
        return {"note": "PyTorch is not installed"}
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "MIRRORPO_CACHE": cache or empty}
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
