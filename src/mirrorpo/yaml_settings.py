"""Settings in a YAML file: their values, and names that are not known."""

import numbers
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import bounded, near_names, typed


def parse(text: str) -> Any:
    """A value as YAML reads it, and numbers such as 5e-5, which YAML takes for text.

    Raises:
        ValueError: not YAML, or a value that JSON does not have.
    """
    try:
        return plain(bounded.parse_yaml(text), "a value", is_text=True)
    except ValueError as error:
        raise ValueError(f"{text!r:.60} is not a YAML value: {error}") from None


def read(path: Path, what: str) -> dict[str, Any]:
    """The settings in a file, which `what` calls a recipe or the like.

    Raises:
        ValueError: no such file, too large a one, not YAML, or not lines of the form key: value.
    """
    try:
        content = parse(bounded.read_text(path, f"a {what}", bounded.YAML_DOCUMENT))
    except OSError as error:
        raise ValueError(f"No {what} at {path}: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a {what}: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path} is not a {what}: it must hold lines of the form key: value.")
    return content


def check_names(given: Mapping[str, Any], known: list[str], what: str) -> None:
    """See that all keys are known.

    Raises:
        ValueError: one is not; the message names the near ones.
    """
    for key in given:
        if key not in known:
            hint = near_names.hint(key, known, cutoff=0.6)
            raise ValueError(f"{what} has no setting {key!r}.{hint}")


def plain(value: Any, name: str, is_text: bool = False) -> Any:
    """A value of settings as JSON has it: NumPy's numbers become Python's, and paths texts.

    Args:
        value: the value, from YAML or from Python.
        name: the name of the setting, for messages.
        is_text: whether a text may stand for a number, such as 5e-5.

    Raises:
        WrongTypeError: something else is in it.
    """
    if isinstance(value, Mapping):
        if not all(isinstance(key, str | int | float | None) for key in value):
            raise typed.WrongTypeError(f"{name} has keys that are not texts")
        return {key: plain(item, f"{name}.{key}", is_text) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, name, is_text) for item in value]
    if isinstance(value, str):
        return _number_or_text(value) if is_text else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise typed.WrongTypeError(
        f"{name} is {value!r:.40}, but must be a number, a text, true, false, null, or a list or "
        "an object of these"
    )


def _number_or_text(value: str) -> float | str:
    if value[:1] in "+-.0123456789":
        try:
            return float(value)
        except ValueError:
            return value
    return value
