"""Objectives in a file of the user's."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mirrorpo import near_names
from mirrorpo.user_text import UserText

from . import user_files
from .base import Objective
from .registry import check_fields

Tryout = Callable[[Objective, str], None]
"""Raises ValueError for an objective, named by a text, that cannot be trained."""


def load(text: UserText, overrides: Mapping[str, Any], trial: Tryout | None = None) -> Objective:
    """The objective of PATH.py:CLASS. The file is run.

    Args:
        text: the user's own, see `UserText`.
        overrides: hyper-parameters or `aggregation`; all others keep their defaults.
        trial: the trial of the objective, before hours are spent on it.

    Raises:
        ValueError: no such file; a file that fails when run, or names an objective as another one
            is named; no such class, or one that is not a complete objective with a name of its
            own; a wrong override; a failed trial. The message is one line and says which.
    """
    path, _, class_name = text.rpartition(":")
    module = user_files.run(Path(path), "objective")
    cls = _find_class(module, class_name, path)
    if dataclasses.is_dataclass(cls):
        check_fields(text, cls, overrides)
    try:
        made = cls(**overrides)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(f"{text} cannot be made: {user_files.one_line(error)}") from error
    if trial is not None:
        trial(made, text)
    return made


def _find_class(module: ModuleType, name: str, path: str) -> type[Objective]:
    found = getattr(module, name, None)
    if found is None:
        classes = [
            key
            for key, value in vars(module).items()
            if _is_objective(value) and key != "Objective"
        ]
        hint = near_names.hint(name, classes)
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
    if not isinstance(found.name, str) or not found.name:
        raise ValueError(f"{name} in {path} is called {found.name!r:.40}: its name must be a text.")
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


def place_of(objective: Objective) -> str:
    """The PATH.py:CLASS of an objective whose class `is_users_own`."""
    kind = type(objective)
    return f"{sys.modules[kind.__module__].__file__}:{kind.__name__}"


def is_users_own(objective: Objective) -> bool:
    """Whether the class of an objective comes from a file of the user's."""
    return user_files.holds(type(objective))
