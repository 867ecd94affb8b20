"""The common base of objectives, scalar functions and schedules.

A component is a frozen dataclass whose fields are its parameters. Four kinds of field:

- numbers (`number`): leaves that a library may trace, batch or differentiate;
- arrays (`array`): leaves too, the learned parameters of networks, kept as read-only float32;
- functions (`function`): nested components, whose numbers are leaves in turn;
- choices (`choice`): strings that select code, marked ``{"static": True}`` in the metadata.

Checks look at real Python numbers and strings, and at NumPy arrays where one is wanted. Other
arrays, tracers and placeholder objects pass, so ``dataclasses.replace(component, beta=tracer)``
works anywhere.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np

_FUNCTION = "function"
_ARRAY = "array"
_ADDED_LATER = "added later"
_registry: dict[tuple[str, str], type[Component]] = {}


class Component:
    """Base class. A subclass that states a ``name`` is registered under its family and name."""

    family: ClassVar[str]
    name: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            _registry[cls.family, cls.name] = cls

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if _FUNCTION in field.metadata:
                object.__setattr__(self, field.name, _as_function(self.name, field.name, value))
            elif _ARRAY in field.metadata:
                shape = field.metadata[_ARRAY]
                object.__setattr__(self, field.name, _as_array(self.name, field.name, value, shape))
            elif "choices" in field.metadata:
                _check_choice(self.name, field.name, value, field.metadata["choices"])
            else:
                check_number(self.name, field.name, value, field.metadata)


def registrations() -> dict[tuple[str, str], type[Component]]:
    """All that is registered, to be put back by `put_back`."""
    return dict(_registry)


def put_back(components: dict[tuple[str, str], type[Component]]) -> None:
    """Register what `registrations` gave, and nothing else: a refused file leaves nothing."""
    _registry.clear()
    _registry.update(components)


def registered(family: str) -> dict[str, type[Component]]:
    """The components of a family, "objective" or "function", by name."""
    return {name: cls for (kind, name), cls in _registry.items() if kind == family}


def number(
    default: float,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    added_later: bool = False,
) -> Any:
    """A numeric field, finite and within the stated bounds.

    One that was ``added_later`` to a component has the default in saved files that lack it, so the
    default must leave the component as it was without the field.
    """
    bounds = {"above": above, "at_least": at_least, "below": below}
    return dataclasses.field(default=default, metadata={**bounds, _ADDED_LATER: added_later})


def choice(default: str, choices: tuple[str, ...]) -> Any:
    """A static field that holds one of ``choices``."""
    return dataclasses.field(default=default, metadata={"static": True, "choices": choices})


def function(default: Component) -> Any:
    """A field that holds a scalar function, given as an object or by its registered name."""
    return dataclasses.field(default=default, metadata={_FUNCTION: True})


def array(shape: tuple[int | None, ...], default: Any) -> Any:
    """A field of learned parameters: an array of ``shape``, where None stands for any length.

    NumPy arrays, lists and numbers are copied. More axes may precede the shape's: a library that
    batches components stacks their leaves.
    """
    return dataclasses.field(default_factory=lambda: default, metadata={_ARRAY: shape})


def is_array(field: dataclasses.Field[Any]) -> bool:
    """Whether a field was made by `array`."""
    return _ARRAY in field.metadata


def is_function(field: dataclasses.Field[Any]) -> bool:
    """Whether a field was made by `function`."""
    return _FUNCTION in field.metadata


def is_choice(field: dataclasses.Field[Any]) -> bool:
    """Whether a field was made by `choice`, and holds one of a few texts."""
    return isinstance(field.metadata.get("choices"), tuple)


def is_number(field: dataclasses.Field[Any]) -> bool:
    """Whether a field was made by `number`."""
    return "above" in field.metadata


def may_lack(field: dataclasses.Field[Any]) -> bool:
    """Whether a saved file may lack a field, which then has its default."""
    return bool(field.metadata.get(_ADDED_LATER))


def _as_function(owner: str, field: str, value: Any) -> Any:
    if isinstance(value, str):
        functions = registered("function")
        if value not in functions:
            known = ", ".join(sorted(functions))
            raise ValueError(f"{owner}: {field} is {value!r}, which is not one of: {known}")
        return functions[value]()
    if isinstance(value, Real):
        raise ValueError(
            f"{owner}: {field} is {value!r}, but must be a scalar function or the name of one"
        )
    return value


def _as_array(owner: str, field: str, value: Any, shape: tuple[int | None, ...]) -> Any:
    if not isinstance(value, (np.ndarray, np.generic, list, Real, str)):
        return value
    try:
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            copied = np.array(value, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{owner}: {field} is not an array of numbers: {value!r:.60}") from None
    found = copied.shape[max(copied.ndim - len(shape), 0) :]
    fits = len(found) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, found, strict=True)
    )
    if not fits:
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise ValueError(f"{owner}: {field} has shape {copied.shape}, but must have ({wanted})")
    if not np.isfinite(copied).all():
        raise ValueError(f"{owner}: {field} has values that are not finite")
    copied.flags.writeable = False
    return copied


def _check_choice(owner: str, field: str, value: Any, choices: tuple[str, ...]) -> None:
    if isinstance(value, (str, Real)) and value not in choices:
        allowed = ", ".join(repr(option) for option in choices)
        raise ValueError(f"{owner}: {field} is {value!r}, but must be one of: {allowed}")


def check_number(owner: str, field: str, value: Any, bounds: Mapping[str, Any]) -> None:
    """Raise ValueError for a value of a `number` field that is none, or out of its bounds.

    What is no Python number passes, see above.
    """
    if isinstance(value, (str, bytes, bool)):
        raise ValueError(f"{owner}: {field} is {value!r}, but must be a number")
    if not isinstance(value, Real):
        return
    above, at_least, below = (bounds.get(key) for key in ("above", "at_least", "below"))
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        raise ValueError(f"{owner}: {field} is beyond all floating-point numbers") from None
    wrong = (
        not finite
        or (above is not None and value <= above)
        or (at_least is not None and value < at_least)
        or (below is not None and value >= below)
    )
    if wrong:
        limits = ["finite"]
        limits += [f"above {above}"] if above is not None else []
        limits += [f"at least {at_least}"] if at_least is not None else []
        limits += [f"below {below}"] if below is not None else []
        raise ValueError(f"{owner}: {field} is {value!r}, but must be {' and '.join(limits)}")
