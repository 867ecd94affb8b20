"""What made a result: command, versions, machine; written to every card and run folder."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PACKAGES = ("mirrorpo", "jax", "jaxlib", "numpy", "brax", "mujoco", "optax", "flax")
SIMULATORS = ("gymnasium", "playground", "mujoco-mjx")
"""Packages of the tasks that are of other libraries."""
_LANGUAGE = ("torch", "transformers", "trl", "peft", "alpaca-eval", "vaderSentiment")


def installed(language: bool = False) -> dict[str, str]:
    """Versions of Python and of the packages that decide a number.

    Args:
        language: those of the extra ``llm`` too, where they are installed.
    """
    found = {"python": platform.python_version()}
    for name in (*_PACKAGES, *SIMULATORS, *(_LANGUAGE if language else ())):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def package_version() -> str:
    """MirrorPO's own version."""
    try:
        return importlib.metadata.version("mirrorpo")
    except importlib.metadata.PackageNotFoundError:
        return "unknown: not installed"


def git_commit() -> str | None:
    """The commit of the checkout that the package runs from; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def command_line() -> str | None:
    """The `mirrorpo` command that this process is; None where it is another program.

    It leaves out --cache: where this machine keeps what it simulated decides no number.
    """
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.stem
    if name != "mirrorpo":
        return None
    return shlex.join(["mirrorpo", *without_option(sys.argv[1:], "--cache")])


def without_option(words: Sequence[str], option: str) -> list[str]:
    """The words of a command line without an option and its value, in either spelling of it."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == option:
            skip = True
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return kept


def machine() -> dict[str, str | int | None]:
    """Processor, number of cores and operating system."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    return {"processor": processor, "cores": os.cpu_count(), "system": platform.system()}
