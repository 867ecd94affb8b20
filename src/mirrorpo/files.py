"""Files that are never half-written, and errors that say which file is wrong and what to do."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mirrorpo import bounded

_LONGEST_NAME = 150


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary name in the same folder, then rename it to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path | str, content: Any) -> None:
    """Write readable JSON atomically."""
    write_text(path, json.dumps(content, indent=2, sort_keys=False) + "\n")


def as_json(content: Any) -> Any:
    """`content` as JSON would give it back: tuples become lists, and so on."""
    return json.loads(json.dumps(content))


def read_json(path: Path | str, what: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: missing, or not JSON; the message names the file and `what` it should be.
    """
    path = Path(path)
    try:
        return bounded.parse_json(bounded.read_text(path, what))
    except FileNotFoundError:
        raise ValueError(f"Cannot read {what} at {path}: the file does not exist.") from None
    except ValueError as error:
        raise ValueError(
            f"{path} is not {what}: it is not valid JSON ({error}). It may be truncated or "
            "another kind of file."
        ) from None


def write_json_lines(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON-lines file atomically."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def append_json_line(path: Path | str, row: Mapping[str, Any]) -> None:
    """Append one row to a JSON-lines file and flush it to disk."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_json_lines(path: Path | str) -> list[Any]:
    """The lines of a JSON-lines file up to the first that a kill has cut; none where there is no
    file. The file may be being written."""
    path = Path(path)
    found: list[Any] = []
    if not path.is_file():
        return found
    for text in bounded.lines(path):
        try:
            found.append(bounded.parse_json(text))
        except ValueError:
            break
    return found


def keep_json_lines(path: Path | str, wanted: Callable[[Mapping[str, Any]], bool]) -> None:
    """Drop the other lines of a JSON-lines file, and a last one that a kill has cut. A file that
    does not exist is none."""
    path = Path(path)
    if not path.is_file():
        return
    write_json_lines(path, [row for row in read_json_lines(path) if wanted(row)])


def save_arrays(path: Path | str, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> str:
    """Write arrays as safetensors with a JSON card in its header.

    Returns:
        The SHA-256 checksum of the file.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    metadata = {"card": json.dumps(card)}
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
        ValueError: missing, truncated or not safetensors.
    """
    with _open(path, what) as file:
        # safe_open's handle has keys(), but is not a mapping.
        names = list(file.keys())
        return {name: file.get_tensor(name) for name in names}


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


def file_name(text: str) -> str:
    """A name of anything as the name, or the beginning of the name, of a file."""
    name = re.sub(r"[^\w.-]+", "-", text).strip("-.") or "unnamed"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    # File systems take 255 bytes, and endings come on top. What is cut is told apart by its digest.
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{name.encode()[: _LONGEST_NAME - 13].decode('utf-8', 'ignore')}-{digest}"


def checksum(path: Path | str) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Raises:
        ValueError: there is no such file.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ValueError(f"Cannot read {path}: the file does not exist.") from None
