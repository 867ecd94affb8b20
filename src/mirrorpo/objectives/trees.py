"""Taking components apart into their leaves and back, for libraries that trace containers.

To let JAX see through every objective, for example, register each of `tree_classes` with
`tree_flatten` and `tree_unflatten`. Rebuilding skips the checks, because such a library also puts
placeholders and axis numbers where the hyper-parameters were.
"""

import dataclasses
from typing import Any, TypeVar

from .component import registered
from .pairs import PairLogProbs

T = TypeVar("T")


def tree_classes() -> tuple[type, ...]:
    """Every concrete objective, scalar function and schedule, and `PairLogProbs`."""
    classes = {*registered("objective").values(), *registered("function").values()}
    return (PairLogProbs, *sorted(classes, key=lambda cls: (cls.family, cls.name)))


def tree_flatten(component: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """``(leaves or nested components, static values)``, each in the order of the fields."""
    dynamic, static = _split(type(component))
    return (
        tuple(getattr(component, name) for name in dynamic),
        tuple(getattr(component, name) for name in static),
    )


def tree_unflatten(cls: type[T], static_values: Any, leaves: Any) -> T:
    """The component of class ``cls`` with these parts, unchecked."""
    dynamic, static = _split(cls)
    component = object.__new__(cls)
    for name, value in zip(dynamic + static, [*leaves, *static_values], strict=True):
        object.__setattr__(component, name, value)
    return component


def _split(cls: Any) -> tuple[list[str], list[str]]:
    fields = dataclasses.fields(cls)
    dynamic = [field.name for field in fields if not field.metadata.get("static")]
    return dynamic, [field.name for field in fields if field.metadata.get("static")]
