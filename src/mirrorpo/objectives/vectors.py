"""Objectives as flat vectors, for searches over their parameters."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from .arrays import Array, namespace
from .component import Component, is_array, is_function
from .trees import tree_flatten, tree_unflatten

C = TypeVar("C", bound=Component)


def parameter_vector(
    component: C, hyperparameters: tuple[str, ...] = ()
) -> tuple[np.ndarray, Callable[[Array], C]]:
    """The learned parameters of an objective or a scalar function as one vector, and the way back.

    Args:
        component: what is searched. Its learned parameters are the array fields of the networks
            inside it.
        hyperparameters: its own numeric fields to search as well. One that must be above 0, such
            as beta, enters as its logarithm; one with another lower bound, such as gamma, enters
            as it is and comes back as at least that bound.

    Returns:
        A float32 vector of shape ``(size,)``, learned parameters first and in the order of the
        fields; and a function from such a vector, of any array library and traced or not, to the
        component with these parameters, unchecked.

    Raises:
        ValueError: if a name is not a numeric field of ``component``; from the function, if the
            vector has another shape.
    """
    bounds = {name: _bounds(component, name) for name in hyperparameters}
    parts = [np.ravel(np.asarray(value, np.float32)) for value in _arrays(component)]
    own = [float(getattr(component, name)) for name in bounds]
    own = [
        math.log(value) if bound["above"] == 0 else value
        for value, bound in zip(own, bounds.values(), strict=True)
    ]
    vector = np.concatenate([*parts, np.asarray(own, np.float32)])

    def rebuild(values: Array) -> C:
        if tuple(values.shape) != vector.shape:
            raise ValueError(f"the vector has shape {values.shape}, but must have {vector.shape}")
        rebuilt, start = _rebuild(component, values, 0)
        xp = namespace(values)
        numbers = {}
        for offset, (name, bound) in enumerate(bounds.items()):
            value = values[start + offset]
            if bound["above"] == 0:
                value = xp.exp(value)
            elif bound["at_least"] is not None:
                value = xp.clip(value, min=bound["at_least"])
            numbers[name] = value
        return dataclasses.replace(rebuilt, **numbers) if numbers else rebuilt

    return vector, rebuild


def _bounds(component: Component, name: str) -> Mapping[str, Any]:
    for field in dataclasses.fields(component):
        if field.name == name and "above" in field.metadata:
            return field.metadata
    raise ValueError(f"{component.name} has no numeric hyper-parameter {name!r}")


def _dynamic(component: Component) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    for field in dataclasses.fields(component):
        if not field.metadata.get("static"):
            yield field, getattr(component, field.name)


def _arrays(component: Component) -> Iterator[Any]:
    for field, value in _dynamic(component):
        if is_array(field):
            yield value
        elif is_function(field) and isinstance(value, Component):
            yield from _arrays(value)


def _rebuild(component: Any, values: Array, start: int) -> tuple[Any, int]:
    leaves = []
    for field, value in _dynamic(component):
        if is_array(field):
            shape = np.shape(value)
            end = start + math.prod(shape)
            value, start = values[start:end].reshape(shape), end
        elif is_function(field) and isinstance(value, Component):
            value, start = _rebuild(value, values, start)
        leaves.append(value)
    return tree_unflatten(type(component), tree_flatten(component)[1], leaves), start
