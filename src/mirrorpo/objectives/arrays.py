"""What the objectives need from an array library, whichever it is.

Everything here goes through the array API standard, so that one implementation serves NumPy, JAX
and PyTorch, and neither of the last two is imported.
"""

import sys
from typing import Any, Protocol, TypeAlias, TypeVar

from array_api_compat import (
    array_namespace,
    is_array_api_obj,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
)


class AnyArray(Protocol):
    """What a type checker knows of a NumPy, JAX or PyTorch array, whichever it is."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        ...

    @property
    def dtype(self) -> object:
        """The library's own data type."""
        ...


ArrayT = TypeVar("ArrayT", bound=AnyArray)
"""The array type of a caller: what gets `numpy.ndarray` gives it back, and so for the others."""

Array: TypeAlias = Any
"""A NumPy, JAX (traced or not) or PyTorch array inside a formula. The standard has no common type
for their operators; `ArrayT` is the type at the border."""

Number: TypeAlias = Any
"""A Python number, or an array or tracer that stands for one."""


def namespace(*values: Any) -> Any:
    """The array namespace of ``values``, ignoring Python numbers.

    NumPy values give way to the others' library: a NumPy scalar beside a tensor is a constant.

    Raises:
        TypeError: if no value is an array, or if two libraries other than NumPy are mixed.
    """
    arrays = [value for value in values if is_array_api_obj(value)]
    if not arrays:
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise TypeError(f"expected a NumPy, JAX or PyTorch array, got only: {kinds}")
    return array_namespace(*([value for value in arrays if not is_numpy_array(value)] or arrays))


def as_array(value: Number, like: Array) -> Array:
    """``value`` as an array that combines with ``like``: its library, data type and device."""
    if is_array_api_obj(value) and not is_numpy_array(value):
        return value
    xp = namespace(like)
    if is_torch_array(like):
        # A tensor would share the memory of an objective's read-only array, and PyTorch warns.
        copy = True if is_numpy_array(value) else None
        return xp.asarray(value, dtype=like.dtype, device=like.device, copy=copy)
    return xp.asarray(value, dtype=like.dtype)


def at_least_single(value: Array) -> Array:
    """``value`` in float32 if it is half precision or integer, unchanged otherwise.

    Half precision cannot hold ``log(1 - p)`` for a likely sequence, nor a sum over a long one.
    """
    xp = namespace(value)
    if xp.isdtype(value.dtype, ("bool", "integral")) or "float16" in str(value.dtype):
        return xp.astype(value, xp.float32)
    return value


def detach(value: Array) -> Array:
    """``value`` as a constant for differentiation (NumPy has none, so it is returned as it is)."""
    if is_torch_array(value):
        return value.detach()
    if is_jax_array(value):
        # A JAX array exists, so its module is loaded: no need to depend on it here.
        return sys.modules["jax"].lax.stop_gradient(value)
    return value
