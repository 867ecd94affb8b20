"""Settings in a YAML file: their values, and names that are not known."""

from collections.abc import Mapping
from typing import Any

from mirrorpo import bounded, near_names


def parse(text: str) -> Any:
    """A value as YAML reads it, and numbers such as 5e-5, which YAML takes for text."""
    try:
        return _numbers(bounded.parse_yaml(text))
    except ValueError as error:
        raise ValueError(f"{text!r:.60} is not a YAML value: {error}") from None


def check_names(given: Mapping[str, Any], known: list[str], what: str) -> None:
    """See that all keys are known.

    Raises:
        ValueError: one is not; the message names the near ones.
    """
    for key in given:
        if key not in known:
            hint = near_names.hint(key, known, cutoff=0.6)
            raise ValueError(f"{what} has no setting {key!r}.{hint}")


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and value[:1] in "+-.0123456789":
        try:
            return float(value)
        except ValueError:
            return value
    return value
