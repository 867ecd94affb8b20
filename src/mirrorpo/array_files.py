"""Arrays as safetensors with a JSON card in the header, checked as they are read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mirrorpo import bounded, typed
from mirrorpo.files import checksum, write_atomically

_DIGEST = "content_sha256"


def save_arrays(path: Path | str, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> str:
    """Write arrays as safetensors with a JSON card in its header, and a checksum of both.

    Returns:
        The SHA-256 checksum of the file.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(card)
    metadata = {"card": text, _DIGEST: _digest(contiguous, text)}
    write_atomically(path, lambda part: save_file(contiguous, part, metadata=metadata))
    return checksum(path)


def load_card(path: Path | str, format_name: str, what: str) -> dict[str, Any]:
    """The card in a safetensors file's header; the arrays are not read.

    Raises:
        ValueError: missing, truncated, not safetensors, or of another format.
    """
    with _open(path, what) as file:
        metadata = file.metadata() or {}
    try:
        card = bounded.parse_json(metadata["card"])
        found = card["format"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} is not {what}: it is a safetensors file without MirrorPO's card."
        ) from None
    if found != format_name:
        raise ValueError(f"{path} is not {what}: its format is {found!r}, not {format_name!r}.")
    return card


def load_arrays(path: Path | str, what: str) -> dict[str, np.ndarray]:
    """All arrays of a safetensors file.

    Raises:
        ValueError: missing, truncated, not safetensors, or changed since `save_arrays` wrote it.
    """
    with _open(path, what) as file:
        metadata = file.metadata() or {}
        # safe_open's handle has keys(), but is not a mapping.
        names = list(file.keys())
        try:
            arrays = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, TypeError, ValueError, AttributeError, MemoryError) as error:
            raise ValueError(f"{path} is not {what}: its arrays are damaged ({error}).") from None
    expected = metadata.get(_DIGEST)
    if expected is not None and expected != _digest(arrays, metadata.get("card", "")):
        raise ValueError(
            f"{path} is damaged: what it holds does not match its own checksum. Restore it, or "
            "make it again."
        )
    return arrays


def load_checked(
    path: Path | str, format_name: str, what: str, fields: Mapping[str, Any], arrays: Sequence[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Fields of the card of a safetensors file, and its arrays.

    The arrays are float32, of one axis and of one length.

    Args:
        path: the path of the file.
        format_name: the format name of the card.
        what: what the file should be, for messages.
        fields: the type of each field, as of `typed.check`.
        arrays: the names of the arrays.

    Raises:
        ValueError: as `load_card` and `load_arrays`; or a field or an array that is missing or of
            another kind.
    """
    card, found = load_card(path, format_name, what), load_arrays(path, what)
    try:
        known = {name: typed.check(card.get(name), hint, name) for name, hint in fields.items()}
    except typed.WrongTypeError as error:
        raise ValueError(f"{path} is not {what}: {error}.") from None
    if missing := [name for name in arrays if name not in found]:
        raise ValueError(f"{path} is not {what}: it lacks {' and '.join(missing)}.")
    kinds = {(found[name].dtype, found[name].shape) for name in arrays}
    dtype, shape = min(kinds, key=str)
    if len(kinds) > 1 or dtype != np.float32 or len(shape) != 1:
        raise ValueError(f"{path} is not {what}: its arrays are not float32 of one length.")
    return known, {name: found[name] for name in arrays}


def _digest(arrays: Mapping[str, np.ndarray], card: str) -> str:
    """SHA-256 of a card and of arrays with their names, types and shapes."""
    found = hashlib.sha256(card.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {arrays[name].shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _open(path: Path | str, what: str) -> Any:
    if not Path(path).is_file():
        raise ValueError(f"Cannot read {what} at {path}: the file does not exist.")
    bounded.check_header(Path(path))
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is not {what}: it cannot be read as safetensors ({error}). It may be "
            "truncated or another kind of file."
        ) from None
