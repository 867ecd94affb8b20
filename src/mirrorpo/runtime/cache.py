"""Where MirrorPO keeps what it can make again: compiled programs and simulated trajectories."""

import os
from pathlib import Path

from mirrorpo import places

VARIABLE = "MIRRORPO_CACHE"


def folder() -> Path:
    """``$MIRRORPO_CACHE``, else ``mirrorpo`` in the user's cache folder.

    Raises:
        ValueError: the user has no home folder, and none is named.
    """
    chosen = os.environ.get(VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser()
        return (Path(base) if base else Path.home() / ".cache") / "mirrorpo"
    except RuntimeError as error:
        raise ValueError(
            f"There is no folder for the cache ({error}): set {VARIABLE} to one."
        ) from None


def check(chosen: Path | None = None) -> None:
    """See that the cache can be written, before what is to be kept there is computed.

    Args:
        chosen: a folder in place of the user's cache, by ``--cache``.

    Raises:
        ValueError: it cannot.
    """
    if chosen is not None:
        places.check(chosen / "any", f"--cache {chosen}")
        return
    try:
        places.check(folder() / "any", f"The cache {folder()}")
    except ValueError as error:
        raise ValueError(f"{error} {VARIABLE} names the cache.") from None


def is_usable() -> bool:
    """Whether the user's cache can be written."""
    try:
        check()
    except ValueError:
        return False
    return True
