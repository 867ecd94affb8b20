"""Algorithms by the text that names them: of the zoo, discovered, saved, or a class in a file of
the user's."""

import dataclasses
import difflib
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from mirrorpo.objectives import Objective
from mirrorpo.objectives.component import registered
from mirrorpo.study import tryout
from mirrorpo.study.tryout import Library

_MODULE_PREFIX = "mirrorpo_user_objective"


def load_algorithm(text: str, library: Library = "jax", **overrides: Any) -> Objective:
    """The objective that `text` names. One of a user's own class has been tried on a few pairs.

    Args:
        text: a name of `mirrorpo.objectives.available()`; a name of
            `mirrorpo.discovery.shipped()`; the file of a saved objective, ending in .safetensors
            or .json; or PATH.py:CLASS for a subclass of `mirrorpo.objectives.Objective` in a file
            of your own. That file is run: name only files that you trust.
        library: that is to train it.
        **overrides: hyper-parameters or `aggregation`; all others keep their defaults.

    Raises:
        ValueError: an unknown name; no such file; a file that fails when run, or names an
            objective as another one is named; no such class, or one that is not a complete
            objective with a name of its own; a wrong override; a loss that raises, or is not a
            finite number for each pair. The message is one line and says which.
    """
    path, colon, class_name = text.rpartition(":")
    if is_saved(text):
        return _load_saved(text, overrides)
    if not colon and not text.endswith(".py"):
        return objectives.get(text, **overrides)
    if not colon or not class_name or not path.endswith(".py"):
        raise ValueError(
            f"{text!r} does not name an algorithm: use a name of the zoo, or PATH.py:CLASS."
        )
    module = _run_file(Path(path))
    cls = _find_class(module, class_name, path)
    try:
        made = cls(**overrides)
    except Exception as error:
        raise ValueError(f"{text} cannot be made: {_one_line(error)}") from error
    tryout.check(made, text, library)
    return made


def is_saved(text: str) -> bool:
    """Whether `text` names a saved objective, which has values of its own for everything."""
    return text.endswith((".safetensors", ".json")) or text in artefact.shipped()


def _load_saved(text: str, overrides: Mapping[str, Any]) -> Objective:
    try:
        saved = objectives.load(artefact.find(text))
        return dataclasses.replace(saved, **overrides)
    except TypeError as error:
        raise ValueError(f"{text}: {_one_line(error)}") from error


def _run_file(path: Path) -> ModuleType:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"No objective file at {path}: {error.strerror}.") from None
    file_id = f"{_MODULE_PREFIX}_{_digest(str(path.resolve()).encode())}"
    # The same text gives the same class, so that equal objectives stay equal and are not
    # compiled again; an edited file gives a new one.
    name = f"{file_id}_{_digest(content)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    sys.modules[name] = module
    before = registered("objective")
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{path} fails when imported: {_one_line(error)}") from error
    for taken, cls in registered("objective").items():
        old = before.get(taken, cls)
        if old is not cls and not old.__module__.startswith(file_id):
            del sys.modules[name]
            raise ValueError(
                f"{path}: the name {taken!r} of {cls.__name__} is taken by another objective; "
                "choose another name."
            )
    return module


def _find_class(module: ModuleType, name: str, path: str) -> type[Objective]:
    found = getattr(module, name, None)
    if found is None:
        classes = [
            key
            for key, value in vars(module).items()
            if _is_objective(value) and key != "Objective"
        ]
        near = difflib.get_close_matches(name, classes, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(
            f"{path} has no class {name!r}.{hint} Objectives in it: {', '.join(classes) or 'none'}."
        )
    if not _is_objective(found):
        raise ValueError(
            f"{name} in {path} is not an objective: it must be a subclass of "
            "mirrorpo.objectives.Objective."
        )
    if "name" not in vars(found):
        raise ValueError(f"{name} in {path} has no name of its own: set the class attribute name.")
    unwritten = [
        key
        for key, value in inspect.getmembers_static(found)
        if getattr(value, "__isabstractmethod__", False)
    ]
    if unwritten:
        raise ValueError(f"{name} in {path} is not complete: define {', '.join(unwritten)}.")
    return found


def _is_objective(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Objective)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
