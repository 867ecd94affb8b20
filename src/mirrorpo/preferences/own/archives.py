"""NumPy archives (.npz), read without pickle: what an array is, is known before it is unpacked."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import files
from mirrorpo.preferences.own.columns import ByteBudget, Columns

_BROKEN = (*files.BROKEN_ZIP, ValueError, TypeError)
_ENDING = ".npy"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Columns]:
    """The arrays of an archive.

    Raises:
        ValueError: not an archive, or damaged.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read as a NumPy archive: {error}.") from None
    budget = ByteBudget(str(path))
    with archive:
        names = [name.removesuffix(_ENDING) for name in archive.namelist()]
        yield Columns(str(path), names, lambda name: _array(archive, path, name, budget))


def _array(archive: zipfile.ZipFile, path: Path, name: str, budget: ByteBudget) -> np.ndarray:
    member = name if name in archive.namelist() else name + _ENDING
    try:
        with archive.open(member) as stream:
            shape, dtype = _header(stream)
    except _BROKEN as error:
        raise ValueError(f"{path}: {name} is damaged: {_one_line(error)}.") from None
    if dtype.hasobject:
        raise ValueError(
            f"{path}: {name} holds Python objects, which are pickled and may run code, so they are "
            "not read. Write it as an array of numbers or texts."
        )
    budget.take(name, shape, dtype.itemsize)
    try:
        with archive.open(member) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except _BROKEN as error:
        raise ValueError(f"{path}: {name} is damaged: {_one_line(error)}.") from None


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the format is not read")
    if any(size < 0 for size in shape):
        raise ValueError(f"its shape is {shape}")
    return shape, dtype


def _one_line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".")[:160]
