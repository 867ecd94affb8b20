"""Objectives by name."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, cast

import numpy as np

from mirrorpo import near_names

from . import losses
from .base import Objective
from .component import registered
from .found import shipped

# Importing the modules that define objectives registers them.
for _module in pkgutil.iter_modules(losses.__path__):
    importlib.import_module(f"{losses.__name__}.{_module.name}")


def available() -> tuple[str, ...]:
    """The names of the zoo, in alphabetical order."""
    return tuple(sorted(registered("objective")))


def make(name: str, **hyperparameters: Any) -> Objective:
    """The objective of the zoo called ``name``; hyper-parameters not given keep their published
    defaults. `naming` takes everything else that a user may name.

    Raises:
        ValueError: if the name or a hyper-parameter is unknown (the message names the near ones),
            or a value is out of range (it says what is allowed).
    """
    known = registered("objective")
    if name not in known:
        raise ValueError(f"unknown objective {name!r}; {_suggest(name, {*known, *shipped()})}")
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
            raise ValueError(f"{name} has no hyper-parameter {one!r}; {_suggest(one, fields)}")
        if value is None:
            raise ValueError(f"{name}: {one} is None: give a value, or leave it out.")
        default = fields[one].default
        wanted = {Real: "a number", str: "a text"}
        for kind, said in wanted.items():
            if isinstance(default, kind) and not _may_be(kind, value):
                raise ValueError(f"{name}: {one} is {value!r:.60}, but must be {said}")


def _may_be(kind: type, value: Any) -> bool:
    """Whether a user's value may stand for a number or a text. Of arrays, those of a library may be
    numbers that it traces; NumPy's are not."""
    if kind is str:
        return isinstance(value, str)
    if isinstance(value, Real | str):  # with a message of its own if out of range
        return True
    return not isinstance(value, np.ndarray | np.generic) and getattr(value, "shape", None) == ()


def _suggest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    forms = {str(word), str(word).lower(), str(word).lower().replace("_", "-")}
    matches = (near_names.nearest(form, names, cutoff=0.5) for form in forms)
    near = sorted({name for group in matches for name in group})
    if near:
        return f"did you mean {' or '.join(near)}? Known: {', '.join(names)}"
    return f"known: {', '.join(names)}"
