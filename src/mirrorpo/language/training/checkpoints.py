"""Checkpoints on disk, and folders of weights: whether they are whole."""

import functools
import json
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

from mirrorpo import bounded, damage, files

from . import memory, reference
from .stages import Stage

Needed = Callable[[int, int], Collection[str]]
"""Of a step, and of all steps: files that a checkpoint of this step must hold for a training to
resume, beside those that every checkpoint has."""

STATE = "trainer_state.json"
_SCALER = "scaler.pt"
_PICKLED = (".pt", ".pth", ".bin")  # which PyTorch writes as zip files
_HEADER = 8
_DEEPSPEED = "global_step"


def needed_in(stage: Stage, step: int, own_reference: bool, scales: bool) -> list[str]:
    """The files that `Needed` asks for at a step of a stage.

    Args:
        stage: the stage that trains after the step.
        step: the optimiser steps done.
        own_reference: whether the reference is the policy as it was when the stage began.
        scales: whether the loss is scaled, as in half precision.
    """
    begun = step > stage.start  # before, there is neither a reference nor a memory
    parts = {
        reference.FILE: begun and own_reference and stage.objective.needs_reference,
        memory.FILE: begun and stage.objective.memory_size > 0,
        _SCALER: scales,
    }
    return [name for name, is_needed in parts.items() if is_needed]


def newest(
    folder: Path, needed: Needed, say: Callable[[str], None] = damage.say, processes: int = 1
) -> str | None:
    """The newest checkpoint of a folder that is whole; None where there is none.

    Args:
        folder: the folder that holds checkpoint-STEP.
        needed: files that the training at hand needs.
        say: called with a sentence for each newer one that is damaged.
        processes: how many processes train.
    """
    # The state is the last file of a checkpoint to be written, but not whole or not at all.
    written = sorted((path.parent for path in folder.glob(f"checkpoint-*/{STATE}")), key=_steps)
    lost = []
    while written and (fault := _fault_of_checkpoint(written[-1], needed, processes)) is not None:
        lost.append(f"{written.pop()} is damaged ({fault})")
    if lost:
        on = f"resumes from {written[-1]}" if written else "starts over: there is no other one"
        say(f"{'; '.join(lost)}. The training {on}.")
    return str(written[-1]) if written else None


def check(folder: Path, needed: Needed, processes: int = 1) -> None:
    """See that a checkpoint is whole.

    Args:
        folder: the checkpoint.
        needed: files that the training at hand needs.
        processes: how many processes train.

    Raises:
        ValueError: it is damaged; the message says which file.
    """
    if folder.is_dir() and (fault := _fault_of_checkpoint(folder, needed, processes)) is not None:
        raise ValueError(
            f"The checkpoint {folder} is damaged ({fault}): restore it, or resume from another one."
        )


def fault_of(folder: Path) -> str | None:
    """The first file of a folder that is cut or damaged, and how; None where all are whole."""
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        about = path.stat()
        fault = _fault(path, about.st_size, about.st_mtime_ns)
        if fault is not None:
            return f"{path.name} {fault}"
    return None


def _fault_of_checkpoint(folder: Path, needed: Needed, processes: int) -> str | None:
    """As `fault_of`, or the file that is missing.

    Transformers does not report one: it resumes with a new optimiser, a new schedule or other
    random numbers.
    """
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    try:
        state = files.read_object(folder / STATE, "the state of a training")
    except ValueError:
        return f"its {STATE} cannot be read"
    step, steps = state.get("global_step"), state.get("max_steps")
    if not (isinstance(step, int) and isinstance(steps, int) and 0 < step <= steps):
        return f"its {STATE} names no step"
    if lost := sorted({*needed(step, steps)} - names):
        return f"it has no {lost[0]}"
    if any(name.startswith(_DEEPSPEED) for name in names):  # has a layout of its own
        return fault_of(folder)
    if not any("model" in name for name in names):
        return "it has no model"
    if not any("optimizer" in name for name in names):
        return "it has no optimizer.pt: lost, or left out by save_only_model"
    if "scheduler.pt" not in names:
        return "it has no scheduler.pt"
    drawn = {name for name in names if name.startswith("rng_state")}
    wanted = ["rng_state.pth"]
    if processes > 1:
        wanted = [f"rng_state_{process}.pth" for process in range(processes)]
    lost = [name for name in wanted if name not in drawn]
    # A run with another number of processes wrote other files: it resumes without random states.
    return f"it has no {lost[0]}" if lost and drawn <= {*wanted} else fault_of(folder)


@functools.lru_cache(maxsize=1024)
def _fault(path: Path, size: int, changed: int) -> str | None:
    """What is wrong with a file; of an unchanged one known already, for it is read as a whole."""
    if path.suffix == ".safetensors":
        return _fault_of_arrays(path, size)
    if path.suffix in _PICKLED:
        return _fault_of_zip(path)
    if path.suffix == ".json":
        try:
            files.read_json(path, "JSON")
        except ValueError:
            return "is not valid JSON"
    return None


def _fault_of_arrays(path: Path, size: int) -> str | None:
    bounded.check_header(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER), "little")
        if _HEADER + length > size:
            return "is cut"
        try:
            header = json.loads(file.read(length))
            ends = [
                one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"
            ]
            whole = _HEADER + length + max(ends, default=0)
        except (ValueError, LookupError, TypeError, AttributeError):
            return "has no header that can be read"
    return None if whole == size else "is cut" if whole > size else "is longer than it says"


def _fault_of_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as packed:
            broken = packed.testzip()
    except files.BROKEN_ZIP:
        return "is cut, or is no file of PyTorch's"
    return None if broken is None else "does not match its checksum"


def _steps(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1
