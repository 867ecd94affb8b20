"""Frozen dataclasses from JSON, with the type of every field checked where a file enters."""

import dataclasses
import numbers
import os
import sys
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

Built = TypeVar("Built")


class WrongTypeError(ValueError):
    """Something is not of the type that it must be; says what, in words."""


def build(kind: type[Built], row: Any, unknown: bool = False) -> Built:
    """A dataclass or a named tuple from a JSON object.

    Args:
        kind: what is made. Its fields are numbers, texts, None, tuples, lists and mappings of
            them; a float takes a whole number too.
        row: what JSON gave.
        unknown: whether the object may have more than the fields.

    Raises:
        WrongTypeError: not an object, a field that is missing or has another type, or one too many.
    """
    if not isinstance(row, Mapping):
        raise WrongTypeError(f"expected an object, found {row!r:.40}")
    hints, optional = _fields(cast(Hashable, kind))
    missing = [name for name in hints if name not in row and name not in optional]
    if missing:
        raise WrongTypeError(f"no {' and no '.join(missing)}")
    if not unknown and (strange := [str(name) for name in row if name not in hints]):
        raise WrongTypeError(f"unknown {', '.join(strange):.60}")
    return kind(
        **{name: check(row[name], hint, name) for name, hint in hints.items() if name in row}
    )


def settle(instance: Any) -> None:
    """Give each field of a frozen dataclass the value that `check` makes of it.

    Its ``__post_init__`` calls this, since settings may come from Python.

    Raises:
        WrongTypeError: as `check`.
    """
    hints, _ = _fields(cast(Hashable, type(instance)))
    for name, hint in hints.items():
        object.__setattr__(instance, name, check(getattr(instance, name), hint, name))


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Types by name, and the names that may be left out.

    They are found once per class, for a log has thousands of rows.
    """
    hints = typing.get_type_hints(kind)
    if not dataclasses.is_dataclass(kind):
        return hints, frozenset()
    given = [field for field in dataclasses.fields(kind) if field.init]
    missing = dataclasses.MISSING
    optional = frozenset(
        field.name
        for field in given
        if field.default is not missing or field.default_factory is not missing
    )
    return {field.name: hints[field.name] for field in given}, optional


def check(value: Any, hint: Any, name: str) -> Any:
    """`value` as a field of type `hint` holds it: a list becomes a tuple where one is wanted.

    Raises:
        WrongTypeError: the value has another type; the message calls it `name`.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for one in inner:
            try:
                return check(value, one, name)
            except WrongTypeError:
                continue
    elif origin is tuple and isinstance(value, list | tuple):
        wanted = inner[:1] * len(value) if inner[1:] == (...,) else inner
        if len(wanted) == len(value):
            return tuple(check(v, h, name) for v, h in zip(value, wanted, strict=True))
    elif origin in (list, Sequence) and isinstance(value, list | tuple):
        return [check(one, inner[0], name) for one in value]
    elif origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: check(one, inner[1], f"{name}.{key}") for key, one in value.items()}
    elif origin is typing.Literal:
        if value in inner:
            return value
    elif hint is type(None):
        if value is None:
            return None
    elif hint is float:
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and _fits(value):
            return value if isinstance(value, int | float) else float(value)
    elif hint is int:
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
    elif hint is Path:
        if isinstance(value, str | os.PathLike):
            return Path(value)
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    raise WrongTypeError(f"{name} is {value!r:.40}, but must be {_in_words(hint)}")


def _fits(value: Any) -> bool:
    """Whether a number is no whole one beyond all floating-point numbers."""
    return not isinstance(value, int) or abs(value) <= sys.float_info.max


def _in_words(hint: Any) -> str:
    names = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    names |= {Path: "a path", dict: "an object"}
    if hint in names:
        return names[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        words = dict.fromkeys(map(_in_words, inner))
        named = [one for one in words if one != _OTHER] or [_OTHER]
        return " or ".join(named)
    if origin is typing.Literal:
        return " or ".join(map(str, inner))
    if origin in (tuple, list, Sequence):
        return "a list"
    if origin in (dict, Mapping):
        return "an object"
    return "null" if hint is type(None) else _OTHER


_OTHER = "of another kind"
