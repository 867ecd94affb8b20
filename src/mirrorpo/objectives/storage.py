"""Objectives as files: one small JSON document with a format name and a version.

Numbers are written with the digits that give back the same float64. Learned arrays are lists in
JSON, exact as well; in a ``.safetensors`` file they are tensors, and the document is in its header.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj

from mirrorpo.array_files import load_arrays, load_card, save_arrays
from mirrorpo.bounded import parse_json, read_text
from mirrorpo.files import check_card, digest, write_text

from . import user_files
from .base import Objective
from .component import is_array, is_function, may_lack, registered
from .registry import make

FORMAT = "mirrorpo-objective"
VERSION = 1

_Tensors = dict[str, np.ndarray]


def save(
    objective: Objective, path: str | os.PathLike[str], notes: Mapping[str, Any] | None = None
) -> None:
    """Write ``objective`` to ``path``, whole or not at all.

    As safetensors if the path ends in ``.safetensors``, else as JSON.

    Args:
        objective: what to write.
        path: the path of the file.
        notes: anything of JSON's types to keep with it, such as where it comes from; `load`
            passes over them and `load_notes` reads them.

    Raises:
        ValueError: if a hyper-parameter is not a number, a string or a registered function, or
            a number is not finite.
        OSError: if the file cannot be written; a file already there is then unchanged.
    """
    if _is_safetensors(path):
        tensors: _Tensors = {}
        document = {**_document(objective, tensors), **_noted(notes)}
        save_arrays(Path(path), tensors, document)
        return
    document = {**to_dict(objective), **_noted(notes)}
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_text(Path(path), text)


def load(path: str | os.PathLike[str]) -> Objective:
    """The objective that `save` wrote to ``path``.

    Raises:
        ValueError: if the file is cut short, is not JSON or safetensors, is another format or a
            newer version, names an unknown objective, function or hyper-parameter, or its arrays
            do not fit, or the card beside it has another checksum. The message says which.
        OSError: if the file cannot be read.
    """
    document = _read_document(path)
    if _is_safetensors(path):
        check_card(Path(path), "a saved objective")
    tensors = load_arrays(Path(path), "a saved objective") if _is_safetensors(path) else {}
    try:
        return _objective(document, tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def load_notes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The notes that `save` kept in ``path``; empty where there are none.

    Raises:
        ValueError: if the file is cut short, is not JSON or safetensors, or is another format.
        OSError: if the file cannot be read.
    """
    document = _read_document(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path}: not a saved objective: no format {FORMAT!r}")
    notes = document.get("notes", {})
    if not isinstance(notes, dict):
        raise ValueError(f"{path}: its notes are damaged")
    return notes


def to_dict(objective: Objective) -> dict[str, Any]:
    """The document that `save` writes, of plain Python values; for configs and result files."""
    return _document(objective, None)


def checksum(objective: Objective) -> str:
    """A checksum of an objective's code and values, the same wherever its user's file lies."""
    return digest([user_files.origin(type(objective)), to_dict(objective)])[:16]


def from_dict(document: Any) -> Objective:
    """The objective that `to_dict` described.

    Raises:
        ValueError: as `load`.
    """
    return _objective(document, {})


def _is_safetensors(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix == ".safetensors"


def _noted(notes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if notes is None else {"notes": dict(notes)}


def _read_document(path: str | os.PathLike[str]) -> Any:
    if not _is_safetensors(path):
        return _read_json(path)
    Path(path).open("rb").close()  # a missing file is an OSError here, as in JSON
    return load_card(Path(path), FORMAT, "a saved objective")


def _read_json(path: str | os.PathLike[str]) -> Any:
    try:
        text = read_text(Path(path), "a saved objective")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a saved objective: not JSON text") from error
    try:
        return parse_json(text)
    except ValueError as error:
        if not text.strip():
            reason = "the file is empty"
        elif text.lstrip().startswith("{"):
            reason = f"the JSON is cut short or damaged ({error})"
        else:
            reason = f"not JSON ({error})"
        raise ValueError(f"{path}: not a saved objective: {reason}") from error


def _document(objective: Objective, tensors: _Tensors | None) -> dict[str, Any]:
    """The document; arrays go to ``tensors``, under their path, or stay in it if that is None."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "objective": objective.name,
        "hyperparameters": _parameters(objective, "", tensors),
    }


def _parameters(component: Any, path: str, tensors: _Tensors | None) -> dict[str, Any]:
    return {
        field.name: _write(
            component.name, field, getattr(component, field.name), path + field.name, tensors
        )
        for field in dataclasses.fields(component)
    }


def _write(
    owner: str, field: dataclasses.Field[Any], value: Any, path: str, tensors: _Tensors | None
) -> Any:
    if is_function(field):
        name = getattr(value, "name", None)
        if registered("function").get(str(name)) is not type(value):
            raise ValueError(f"{owner}: {field.name} is not a registered function: {value!r}")
        return {"function": value.name, "parameters": _parameters(value, path + ".", tensors)}
    if is_array(field):
        found = np.asarray(value, np.float32)
        if not np.isfinite(found).all():
            raise ValueError(f"{owner}: {field.name} has values that are not finite")
        if tensors is None:
            return found.tolist()
        tensors[path] = found
        return {"tensor": path}
    if isinstance(value, str):
        return value
    if isinstance(value, Real) or (is_array_api_obj(value) and value.shape == ()):
        return float(value)
    raise ValueError(f"{owner}: {field.name} is not a single number: {value!r}")


def _objective(document: Any, tensors: _Tensors) -> Objective:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a saved objective: no format {FORMAT!r}")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"version is {version!r}, but must be a positive whole number")
    if version > VERSION:
        raise ValueError(
            f"version {version} is newer than {VERSION}, the newest this mirrorpo reads; upgrade it"
        )
    name, parameters = document.get("objective"), document.get("hyperparameters")
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ValueError("no objective name or no hyperparameters: the file is incomplete")
    unused = dict(tensors)
    values = _read_all(registered("objective").get(name), parameters, "", unused)
    objective = make(name, **values)
    _require_all(objective, parameters)
    if unused:
        raise ValueError(f"the document does not mention its arrays {', '.join(sorted(unused))}")
    return objective


def _read_all(cls: Any, parameters: dict[str, Any], path: str, tensors: _Tensors) -> dict[str, Any]:
    fields = () if cls is None else dataclasses.fields(cls)
    arrays = {field.name for field in fields if is_array(field)}
    return {
        key: _read_array(path + key, value, tensors)
        if key in arrays
        else _read(path + key, value, tensors)
        for key, value in parameters.items()
    }


def _read_array(key: str, value: Any, tensors: _Tensors) -> Any:
    if isinstance(value, list):
        return value  # the component checks it
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}, but must be an array")
    name = value.get("tensor")
    if not isinstance(name, str) or name not in tensors:
        raise ValueError(f"{key}: the file has no array {name!r:.60}")
    found = tensors.pop(name)
    if found.dtype != np.float32:
        raise ValueError(f"{key}: array {name!r} is {found.dtype}, but must be float32")
    return found


def _read(key: str, value: Any, tensors: _Tensors) -> Any:
    if not isinstance(value, dict):
        if isinstance(value, (str, Real)):
            return value
        raise ValueError(f"{key} is {value!r}, but must be a number, a string or a function")
    functions = registered("function")
    name, parameters = value.get("function"), value.get("parameters")
    if not isinstance(name, str) or name not in functions or not isinstance(parameters, dict):
        raise ValueError(f"{key}: unknown or incomplete function {name!r:.60}")
    values = _read_all(functions[name], parameters, f"{key}.", tensors)
    try:
        built = functions[name](**values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{key}: {error}") from error
    _require_all(built, parameters)
    return built


def _require_all(component: Any, given: dict[str, Any]) -> None:
    missing = [
        field.name
        for field in dataclasses.fields(component)
        if field.name not in given and not may_lack(field)
    ]
    if missing:
        raise ValueError(f"{component.name}: the file lacks {', '.join(missing)}")
