"""Where MirrorPO keeps what it can make again: compiled programs and simulated trajectories."""

import os
from pathlib import Path


def folder() -> Path:
    """``$MIRRORPO_CACHE``, else ``mirrorpo`` in the user's cache folder."""
    chosen = os.environ.get("MIRRORPO_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mirrorpo"
