"""HDF5 files, as D4RL writes them: plain arrays in the file itself, nothing that leads out of it.

HDF5 can point to other files, build arrays from parts of others, and load code to unpack them.
None of that is followed.
"""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.preferences.own.columns import ByteBudget, Columns

MOST_NAMES = 100_000
MOST_CHUNK = 2**28
"""Bytes of one chunk of an array: HDF5 unpacks a whole one for its first number."""

_DEEPEST = 4
# gzip, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: what comes with h5py.
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Columns]:
    """The arrays of a file, those in groups as `group/name`.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        ValueError: no HDF5 file, or damaged.
    """
    with opened_file(path) as file:
        budget = ByteBudget(str(path))
        yield Columns(str(path), names(file, path), lambda name: array(file, name, path, budget))


@contextlib.contextmanager
def opened_file(path: Path) -> Iterator[Any]:
    """The open `h5py.File`; errors as of `opened`."""
    try:
        h5py = import_module("h5py")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path} is an HDF5 file, which h5py reads: pip install 'mirrorpo[data]'."
        ) from None
    try:
        file = h5py.File(path, "r", locking=False)
    except (OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as HDF5 ({said:.160}).") from None
    with file:
        yield file


def names(file: Any, path: Path) -> list[str]:
    """The arrays of a file, and links, which are named and not followed.

    Raises:
        ValueError: there are more than `MOST_NAMES`.
    """
    found: list[str] = []
    waiting = [("", file)]
    while waiting:
        before, group = waiting.pop()
        for name in group:
            if len(found) + len(waiting) > MOST_NAMES:
                raise ValueError(
                    f"{path} has more than {MOST_NAMES} arrays, the most that is read."
                )
            full = f"{before}{name}"
            if not _is_in_place(group, name):
                found.append(full)
                continue
            one = group.get(name)
            if _is_group(one):
                # A group can be within itself.
                if full.count("/") < _DEEPEST:
                    waiting.append((f"{full}/", one))
            elif hasattr(one, "shape"):
                found.append(full)
    return sorted(found)


def array(file: Any, name: str, path: Path, budget: ByteBudget) -> np.ndarray:
    """One array.

    Raises:
        ValueError: it is none, lies elsewhere, is packed in a way that is not read, or too large.
    """
    try:
        one = _dataset(file, name, path)
        properties = one.id.get_create_plist()
        filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
        if one.is_virtual or one.external:
            raise ValueError(f"{path}: {name} lies in other files, which are not read.")
        if one.dtype.kind not in "biufS":
            raise ValueError(
                f"{path}: {name} holds {one.dtype!s:.40}: only numbers and texts of fixed "
                "length (dtype 'S20') are read."
            )
        if filters - _FILTERS:
            raise ValueError(
                f"{path}: {name} is packed by filter {min(filters - _FILTERS)}, which is not read: "
                "write it with gzip, lzf or unpacked."
            )
        if one.chunks and int(np.prod(one.chunks, dtype=object)) * one.dtype.itemsize > MOST_CHUNK:
            raise ValueError(f"{path}: {name} has chunks of more than {MOST_CHUNK // 2**20} MiB.")
        budget.take(name, one.shape or (), one.dtype.itemsize)
        values = np.asarray(one[()])
    except (OSError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: {name} is damaged ({said:.160}).") from None
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _dataset(file: Any, name: str, path: Path) -> Any:
    one = file
    for part in name.split("/"):
        if not _is_group(one) or part not in one:
            raise ValueError(f"{path} has no {name}.")
        if not _is_in_place(one, part):
            raise ValueError(f"{path}: {name} is a link to another place, which is not followed.")
        one = one[part]
    if not hasattr(one, "shape"):
        raise ValueError(
            f"{path}: {name} is a group of arrays ({', '.join(list(one)[:4])}), where one array is "
            "needed: flatten it first."
        )
    return one


def _is_group(one: Any) -> bool:
    return hasattr(one, "keys") and hasattr(one, "attrs")


def _is_in_place(group: Any, name: str) -> bool:
    return type(group.get(name, getlink=True)).__name__ == "HardLink"
