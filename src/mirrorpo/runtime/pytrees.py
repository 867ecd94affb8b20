"""Objectives as JAX pytrees, and pytrees as files."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import array_files

_registered: set[type] = set()


def as_pytree(objective: Any) -> Any:
    """The same objective, with its class and the classes of its parts registered with JAX.

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
    return jax.tree.map(lambda *leaves: np.asarray(leaves, np.float32), *objectives)


def _register(value: Any) -> None:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return
    fields = dataclasses.fields(value)
    for one in fields:
        _register(getattr(value, one.name))
    if type(value) in _registered:
        return
    data = [one.name for one in fields if not one.metadata.get("static")]
    static = [one.name for one in fields if one.metadata.get("static")]
    _register_class(type(value), data, static)
    _registered.add(type(value))


def _register_class(kind: type, data: Sequence[str], static: Sequence[str]) -> None:
    """Register a class with JAX so that a jitted function never takes it for another.

    JAX 0.10's own `register_dataclass` makes trees whose equality does not look at the class. Two
    losses of as many numbers then share a place in the cache of a jitted function whenever their
    hashes come together, a few times in a hundred processes, and one is computed as the other.
    """

    def flatten(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        children = tuple(getattr(value, name) for name in data)
        return children, (kind, *(getattr(value, name) for name in static))

    def flatten_with_keys(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        children, rest = flatten(value)
        keys = map(jax.tree_util.GetAttrKey, data)
        return tuple(zip(keys, children, strict=True)), rest

    def unflatten(rest: tuple[Any, ...], children: Iterable[Any]) -> Any:
        named = dict(zip(data, children, strict=True))
        return kind(**named, **dict(zip(static, rest[1:], strict=True)))

    jax.tree_util.register_pytree_with_keys(kind, flatten_with_keys, unflatten, flatten)


def save_tree(path: Path, tree: Any, card: Mapping[str, Any]) -> None:
    """Write every leaf of a pytree, random keys included, and a card; see `load_tree`."""
    arrays = {
        jax.tree_util.keystr(key): np.asarray(_plain(leaf))
        for key, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    array_files.save_arrays(path, arrays, card)


def load_tree(path: Path, like: Any, format_name: str, what: str) -> tuple[Any, dict[str, Any]]:
    """The pytree that `save_tree` wrote, and its card.

    Args:
        path: the path of the file.
        like: a pytree of the same structure, whose shardings the leaves take.
        format_name: the format name of the card.
        what: what the file should be, for messages.

    Raises:
        ValueError: missing, truncated or foreign file, or one of another structure.
    """
    card = array_files.load_card(path, format_name, what)
    arrays = array_files.load_arrays(path, what)

    def leaf(key: Any, old: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(key)
        if name not in arrays:
            raise ValueError(f"{path} is not {what} of this version: it lacks {name}.")
        new = arrays[name]
        plain = _plain(old)
        if new.shape != plain.shape or new.dtype != plain.dtype:
            raise ValueError(
                f"{path} is not {what} of these settings: {name} is {new.dtype}{list(new.shape)}, "
                f"not {plain.dtype}{list(plain.shape)}."
            )
        if jax.dtypes.issubdtype(old.dtype, jax.dtypes.prng_key):
            return jax.device_put(jax.random.wrap_key_data(jnp.asarray(new)), old.sharding)
        return jax.device_put(new, old.sharding)

    return jax.tree_util.tree_map_with_path(leaf, like), card


def _plain(leaf: jax.Array) -> jax.Array:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(leaf)
    return leaf
