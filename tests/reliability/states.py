"""Every state of the disk that a kill can leave, resumed: copied while one undisturbed run goes on.

Before each change that a run makes to a file, its folder is copied. A copy is what SIGKILL at that
moment would have left. Each is put back, and the same command is run on it, all in one process,
which has compiled its programs already: so hundreds can be tried in the time of a few real kills.
"""

import os
import random
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


@dataclass
class Tried:
    """States of one command.

    Attributes:
        moments: changes of files that an undisturbed run makes.
        resumed: states that were resumed and compared.
        wrong: what was wrong, in words.
    """

    moments: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


def watch(folder: Path, apart: Path, before_change: Callable[[], None]) -> None:
    """Call something before this process changes a file in a folder, or syncs any; `apart` is a
    folder within it that does not count. There is no end to it."""
    own, other = str(folder), str(apart)

    def hook(event: str, given: tuple) -> None:
        written = event == "open" and isinstance(given[2], int) and given[2] & os.O_ACCMODE
        if not written and event not in CHANGES:
            return
        path = os.fspath(given[0]) if isinstance(given[0], str | os.PathLike) else ""
        if isinstance(path, str) and path.startswith(own) and not path.startswith(other):
            before_change()

    sys.addaudithook(hook)
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        before_change()
        fsync(descriptor)

    os.fsync = watched


def resume_all(
    run: Callable[[], None],
    wrong: Callable[[dict], str | None],
    result: Callable[[], dict],
    place: Path,
    copies: Path,
    count: int,
    draw: random.Random,
) -> Tried:
    """Run something once in `place`, then resume it from some of its states.

    Args:
        run: the command, which writes to `place` alone.
        wrong: says what differs from a result, or is left over.
        result: what came out.
        place: folder of the run.
        copies: folder for copies of it.
        count: states to resume.
        draw: chooses them.
    """
    tried, watching, inside = Tried(), True, False

    def copy() -> None:
        nonlocal inside
        if not watching or inside:
            return
        inside = True
        tried.moments += 1
        shutil.copytree(place, copies / str(tried.moments), symlinks=True)
        inside = False

    watch(place, place / "cache" / "jax", copy)
    run()
    watching = False
    whole = result()
    chosen = draw.sample(range(1, tried.moments + 1), min(count, tried.moments))
    for moment in sorted(chosen):
        shutil.rmtree(place)
        shutil.copytree(copies / str(moment), place, symlinks=True)
        tried.resumed += 1
        try:
            run()
            found = wrong(whole)
        except BaseException as error:
            traceback.print_exc()
            found = f"{type(error).__name__}: {error!s:.300}"
        if found:
            tried.wrong.append(f"state {moment} in {copies}: {found}")
        else:
            shutil.rmtree(copies / str(moment))
    return tried
