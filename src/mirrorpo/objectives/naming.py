"""Objectives by the text that names them, and which text may name code.

This is the one place that knows what a user may name: every command and every function that takes
an objective asks it, and so all of them take the same texts and give the same errors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from mirrorpo.user_text import UserText

from . import user_code
from .base import Objective
from .component import is_array, is_function, is_number
from .found import SAVED, find, shipped
from .registry import check_fields, make
from .storage import load, to_dict


class NamesCode(ValueError):
    """Text that is not the user's own names a file of code."""


@dataclass(frozen=True)
class Named:
    """What ``name[field=value,...]`` says.

    Attributes:
        name: before the bracket; `UserText` if the whole text was.
        values: fields with a number, or with text where it is not a number.
    """

    name: str
    values: Mapping[str, float | str]


def objective(named: Objective | str | os.PathLike[str], /, **hyperparameters: object) -> Objective:
    """The objective that a program names; one that is an objective already is taken as it is.

    Args:
        named: a name of `available()`, with or without values, as in ``dpo[beta=3]``; a shipped
            discovery; the file of a saved objective, ending in .safetensors or .json; or
            PATH.py:CLASS for a class in a file of the user's, which is run.
        **hyperparameters: values of its fields; all others keep theirs. A value stands here or in
            brackets, not in both.

    Raises:
        ValueError: as `resolve`, or ``named`` is something else.

    The text counts as the user's own, who wrote the program. To look up a text that comes from a
    file, call `resolve`, which runs no code.
    """
    if isinstance(named, Objective):
        return _changed(named.name, named, hyperparameters) if hyperparameters else named
    if not isinstance(named, (str, os.PathLike)):
        raise ValueError(
            f"objective is a {type(named).__name__}: pass an Objective, a name such as 'ta-mpo', "
            "the file of a saved objective, or PATH.py:CLASS."
        )
    return resolve(UserText(os.fspath(named)), **hyperparameters)


def get(name: str, **hyperparameters: object) -> Objective:
    """The objective called ``name``; hyper-parameters not given keep their published defaults.

    Args:
        name: whatever `objective` takes.
        **hyperparameters: values of its fields, and its ``aggregation``.

    Raises:
        ValueError: if the name or a hyper-parameter is unknown (the message names the near ones),
            or a value is out of range (it says what is allowed).
    """
    return objective(name, **hyperparameters)


def resolve(text: str, trial: user_code.Tryout | None = None, /, **overrides: Any) -> Objective:
    """The objective that `text` names. No code is run, unless the user typed its name.

    Args:
        text: a name of `available()`, a shipped discovery, the file of a saved objective, ending
            in .safetensors or .json, or PATH.py:CLASS for a class in a file of the user's; each
            with or without values in brackets, see `parse`. A file of code is run, so the text
            must then be `UserText`.
        trial: the trial of an objective in a file of the user's, such as
            `mirrorpo.study.tryout.by`.
        **overrides: hyper-parameters or `aggregation`; all others keep their values.

    Raises:
        NamesCode: the text names a file of code, and is not `UserText`.
        ValueError: an unknown name, no such file, a file that cannot be loaded, a wrong override,
            one that is given in brackets too, a failed trial. The message is one line.
    """
    named = parse(text)
    twice = [key for key in named.values if key in overrides]
    if twice:
        raise ValueError(
            f"Objective {str(text)!r}: {twice[0]} is given in brackets and beside them. Give it "
            "once."
        )
    return _make(named.name, trial, {**overrides, **named.values})


def _make(text: str, trial: user_code.Tryout | None, values: Mapping[str, Any]) -> Objective:
    if is_saved(text):
        return _changed(text, load(find(text)), values)
    path, colon, class_name = text.rpartition(":")
    if not colon and not text.endswith(".py"):
        return make(text, **values)
    if not colon or not class_name or not path.endswith(".py"):
        raise ValueError(
            f"{text!r} does not name an objective: use a name that `mirrorpo objectives` lists, a "
            "saved file, or PATH.py:CLASS."
        )
    if not isinstance(text, UserText):
        raise NamesCode(
            f"{text!r} is a file of code, named in a file. Only code that you name on the command "
            "line yourself is run."
        )
    return user_code.load(text, values, trial)


def parse(text: str) -> Named:
    """Name and values of ``dpo``, ``dpo[beta=0.3]``, ``./my_loss.py:MyLoss[scale=2]``.

    Raises:
        ValueError: a bracket that is not closed or empty, an item that is not ``field=value``, or
            a field that is given twice.
    """
    whole = text.strip()
    name, bracket, inside = whole, "", ""
    if whole.endswith("]"):
        name, bracket, inside = whole[:-1].rpartition("[")
    if not bracket:
        _refuse_open_bracket(text, whole)
        return Named(_like(text, whole), {})
    values: dict[str, float | str] = {}
    for item in inside.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not key:
            raise ValueError(f"Objective {text!r}: write name=value, as in dpo[beta=0.3].")
        if key in values:
            raise ValueError(f"Objective {text!r}: {key} is given twice. Give it once.")
        values[key] = _number_or_text(value)
    return Named(_like(text, name.strip()), values)


def spelled(given: Objective) -> str:
    """An objective as the text that names it, its numbers with four digits.

    Functions and networks have no text form, so an objective that holds some is spelled by its
    numbers alone.
    """
    numbers = [
        f"{field.name}={float(getattr(given, field.name)):.4g}"
        for field in dataclasses.fields(given)
        if not (is_array(field) or is_function(field) or "choices" in field.metadata)
    ]
    return f"{given.name}[{','.join(numbers)}]" if numbers else given.name


def as_text(given: Objective) -> str:
    """The text that names an objective with exactly its values.

    Its numbers are all stated, and of its choices and functions those that are not the default.

    Raises:
        ValueError: no text names it, as where it has learned functions or arrays.
    """
    document = to_dict(given)
    for text in (_stated(given), *shipped()):
        with contextlib.suppress(ValueError):
            made = resolve(UserText(text))
            if type(made) is type(given) and to_dict(made) == document:
                return text
    raise ValueError(
        f"No text names this {type(given).__name__} with all of its values: save it by "
        "mirrorpo.objectives.save(objective, 'mine.safetensors'), and give that file."
    )


def with_values(text: str, values: Mapping[str, float | str]) -> str:
    """An objective's text with values of its fields beside those in its brackets, exactly.

    The text stays `UserText` if it was.
    """
    named = parse(text)
    merged = {**named.values, **values}
    inside = ",".join(
        f"{name}={value if isinstance(value, str) else repr(value)}"
        for name, value in merged.items()
    )
    whole = f"{named.name}[{inside}]" if merged else named.name
    return UserText(whole) if isinstance(text, UserText) else whole


def split_list(texts: Iterable[str]) -> tuple[str, ...]:
    """Items of a list that is separated by commas, spaces or both; commas in brackets stay."""
    items: list[str] = []
    for text in texts:
        depth, item = 0, ""
        for character in text:
            depth += (character == "[") - (character == "]")
            if character == "," and depth == 0:
                items.append(item)
                item = ""
            else:
                item += character
        items.append(item)
    return tuple(item.strip() for item in items if item.strip())


def is_saved(text: str) -> bool:
    """Whether `text` names a saved objective, which has values of its own for everything."""
    return text.endswith(SAVED) or text in shipped()


def _changed(name: str, given: Objective, values: Mapping[str, Any]) -> Objective:
    check_fields(name, type(given), values)
    return dataclasses.replace(given, **values)


def _stated(given: Objective) -> str:
    """Class and values of an objective; a function that has values of its own is lost."""
    name = user_code.place_of(given) if user_code.is_users_own(given) else given.name
    stated = []
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if is_number(field) or isinstance(value, Real):
            short = f"{float(value):.4g}"
            stated.append(f"{field.name}={short if float(short) == value else repr(float(value))}")
        elif not is_array(field) and value != field.default:
            stated.append(f"{field.name}={getattr(value, 'name', value)}")
    return f"{name}[{','.join(stated)}]" if stated else name


def _refuse_open_bracket(text: str, whole: str) -> None:
    # A folder may have brackets in its name.
    path = whole.rpartition(":")[0] or whole
    if "[" in whole and not (path.endswith((".py", *SAVED)) and Path(path).is_file()):
        raise ValueError(f"Objective {text!r}: the bracket is not closed, as in dpo[beta=0.3].")


def _like(text: str, part: str) -> str:
    """Part of a text, typed by the user if the whole was."""
    return UserText(part) if isinstance(text, UserText) else part


def _number_or_text(value: str) -> float | str:
    try:
        number = float(value)
    except ValueError:
        return value
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number.")
    return number
