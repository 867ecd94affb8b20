"""Objectives as JAX pytrees, so that jit, vmap and grad see their hyper-parameters."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

_registered: set[type] = set()


def as_pytree(objective: Any) -> Any:
    """The same objective, its class and those of its parts registered with JAX.

    Numeric hyper-parameters and the parameters of scalar functions become leaves; fields with
    ``metadata={"static": True}`` (aggregation, divergence, ...) stay static. `objectives` knows
    nothing of JAX, so this is done here.
    """
    _register(objective)
    return objective


def stack(objectives: Sequence[Any]) -> Any:
    """One objective whose every leaf has a leading axis, from many of one structure.

    Raises:
        ValueError: the objectives differ in class or in a static field.
    """
    structures = {jax.tree.structure(as_pytree(objective)) for objective in objectives}
    if len(structures) != 1:
        raise ValueError(
            "Objectives that train together must be of one class and agree in their static "
            f"fields, such as aggregation: {', '.join(map(repr, objectives[:3]))}."
        )
    return jax.tree.map(lambda *leaves: jnp.asarray(leaves, jnp.float32), *objectives)


def _register(value: Any) -> None:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return
    fields = dataclasses.fields(value)
    for one in fields:
        _register(getattr(value, one.name))
    if type(value) in _registered:
        return
    jax.tree_util.register_dataclass(
        type(value),
        data_fields=[one.name for one in fields if not one.metadata.get("static")],
        meta_fields=[one.name for one in fields if one.metadata.get("static")],
    )
    _registered.add(type(value))
