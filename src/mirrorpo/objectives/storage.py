"""Objectives as files: one small JSON document with a format name and a version.

Numbers are written with the digits that give back the same float64.
"""

from __future__ import annotations

import dataclasses
import json
import os
from numbers import Real
from pathlib import Path
from typing import Any

from array_api_compat import is_array_api_obj

from mirrorpo.files import write_text

from .base import Objective
from .component import is_function, registered
from .registry import get

FORMAT = "mirrorpo-objective"
VERSION = 1


def save(objective: Objective, path: str | os.PathLike[str]) -> None:
    """Write ``objective`` to ``path`` as JSON, whole or not at all.

    Raises:
        ValueError: if a hyper-parameter is not a number, a string or a registered function.
        OSError: if the file cannot be written; a file already there is then unchanged.
    """
    text = json.dumps(to_dict(objective), indent=2, allow_nan=False) + "\n"
    write_text(Path(path), text)


def load(path: str | os.PathLike[str]) -> Objective:
    """The objective that `save` wrote to ``path``.

    Raises:
        ValueError: if the file is cut short, is not JSON, is another format or a newer version,
            or names an unknown objective, function or hyper-parameter. The message says which.
        OSError: if the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a saved objective: not JSON text") from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            reason = "the file is empty"
        elif text.lstrip().startswith("{"):
            reason = f"the JSON is cut short or damaged ({error})"
        else:
            reason = f"not JSON ({error})"
        raise ValueError(f"{path}: not a saved objective: {reason}") from error
    try:
        return from_dict(document)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def to_dict(objective: Objective) -> dict[str, Any]:
    """The document that `save` writes, of plain Python values; for configs and result files."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "objective": objective.name,
        "hyperparameters": _parameters(objective),
    }


def from_dict(document: Any) -> Objective:
    """The objective that `to_dict` described.

    Raises:
        ValueError: as `load`.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a saved objective: no format {FORMAT!r}")
    version = document.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"version is {version!r}, but must be a positive whole number")
    if version > VERSION:
        raise ValueError(
            f"version {version} is newer than {VERSION}, the newest this mirrorpo reads; upgrade it"
        )
    name, parameters = document.get("objective"), document.get("hyperparameters")
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ValueError("no objective name or no hyperparameters: the file is incomplete")
    values = {key: _read(key, value) for key, value in parameters.items()}
    objective = get(name, **values)
    _require_all(objective, parameters)
    return objective


def _parameters(component: Any) -> dict[str, Any]:
    return {
        field.name: _write(component.name, field, getattr(component, field.name))
        for field in dataclasses.fields(component)
    }


def _write(owner: str, field: dataclasses.Field[Any], value: Any) -> Any:
    if is_function(field):
        name = getattr(value, "name", None)
        if registered("function").get(str(name)) is not type(value):
            raise ValueError(f"{owner}: {field.name} is not a registered function: {value!r}")
        return {"function": value.name, "parameters": _parameters(value)}
    if isinstance(value, str):
        return value
    if isinstance(value, Real) or (is_array_api_obj(value) and value.shape == ()):
        return float(value)
    raise ValueError(f"{owner}: {field.name} is not a single number: {value!r}")


def _read(key: str, value: Any) -> Any:
    if not isinstance(value, dict):
        if isinstance(value, (str, Real)):
            return value
        raise ValueError(f"{key} is {value!r}, but must be a number, a string or a function")
    functions = registered("function")
    name, parameters = value.get("function"), value.get("parameters")
    if name not in functions or not isinstance(parameters, dict):
        raise ValueError(f"{key}: unknown or incomplete function {name!r}")
    values = {inner: _read(f"{key}.{inner}", given) for inner, given in parameters.items()}
    try:
        built = functions[name](**values)
    except TypeError as error:
        raise ValueError(f"{key}: {error}") from error
    _require_all(built, parameters)
    return built


def _require_all(component: Any, given: dict[str, Any]) -> None:
    missing = [field.name for field in dataclasses.fields(component) if field.name not in given]
    if missing:
        raise ValueError(f"{component.name}: the file lacks {', '.join(missing)}")
