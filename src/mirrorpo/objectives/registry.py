"""Objectives by name."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from numbers import Real
from typing import Any, cast

import numpy as np

from mirrorpo import near_names

from . import losses, user_files
from .base import Objective
from .component import check_number, is_choice, is_number, registered
from .found import shipped

# Importing the modules that define objectives registers them.
for _module in pkgutil.iter_modules(losses.__path__):
    importlib.import_module(f"{losses.__name__}.{_module.name}")


def available() -> tuple[str, ...]:
    """The names of all losses that are declared, in alphabetical order.

    One of a file that was run as PATH.py:CLASS is named by its place, and is not among them: its
    file may be gone.
    """
    declared = registered("objective").items()
    return tuple(sorted(name for name, cls in declared if not user_files.holds(cls)))


def make(name: str, /, **hyperparameters: Any) -> Objective:
    """The declared objective called ``name``.

    Hyper-parameters not given keep their published defaults. `naming` takes everything else that a
    user may name.

    Raises:
        ValueError: if the name or a hyper-parameter is unknown (the message names the near ones),
            or a value is out of range (it says what is allowed).
    """
    known = registered("objective")
    if name not in known:
        hint = near_names.hint(name, sorted({*known, *shipped()}), cutoff=0.5)
        raise ValueError(f"Unknown objective {name!r}.{hint} `mirrorpo objectives` lists them.")
    cls = known[name]
    check_fields(name, cls, hyperparameters)
    return cast(Objective, cls(**hyperparameters))


def check_fields(name: str, cls: type, given: Mapping[str, Any]) -> None:
    """See that a class has the fields that its user gives values for, and that each is a value.

    JAX builds objectives with None or other placeholders in their fields, so that only here, where
    a user's values enter, they are refused.

    Raises:
        ValueError: it has not, and the message names the near ones; or a value that is none.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for one, value in given.items():
        if one not in fields:
            hint = near_names.hint(one, sorted(fields), cutoff=0.5)
            raise ValueError(
                f"{name} has no hyper-parameter {one!r}.{hint} It has: {', '.join(sorted(fields))}."
            )
        if value is None:
            raise ValueError(f"{name}: {one} is None: give a value, or leave it out.")
        if is_choice(fields[one]) or is_number(fields[one]):
            _check_value(name, fields[one], value)


def _check_value(owner: str, field: dataclasses.Field[Any], value: Any) -> None:
    """See that a user's value is a number, or for a choice a text."""
    wanted = "a text" if is_choice(field) else "a number"
    if isinstance(value, np.ndarray | np.generic) and value.shape == ():
        value = value.item()
    # Other arrays of one value may be numbers that a library traces.
    fits = isinstance(value, str) or (
        wanted == "a number" and (isinstance(value, Real) or getattr(value, "shape", None) == ())
    )
    if not fits:
        raise ValueError(f"{owner}: {field.name} is {value!r:.60}, but must be {wanted}")
    if wanted == "a number":
        check_number(owner, field.name, value, field.metadata)
