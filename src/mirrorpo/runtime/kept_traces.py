"""Programs whose trace is kept on disk: what a robot's physics takes most of a warm start for.

JAX keeps what XLA compiles, but to find it again it traces the Python code and lowers it, which
takes several times as long as reading the compiled program. So the lowered program is kept, too.
It is read only where everything that it was made of is the same: the arguments' shapes, the
settings, the devices, MirrorPO's source and the versions of what it calls.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from mirrorpo import files
from mirrorpo.runtime import cache
from mirrorpo.runtime.devices import local_mesh, replicate

OFF = "MIRRORPO_NO_KEPT_TRACES"
"""Environment variable: set, every process traces for itself."""

_PACKAGES = ("jax", "jaxlib", "brax", "mujoco", "mujoco-mjx", "flax", "optax", "numpy", "scipy")
_CONFIGURED = (
    *("jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl"),
    *("jax_threefry_partitionable", "jax_numpy_dtype_promotion", "jax_debug_nans"),
    *("jax_disable_jit", "jax_enable_checks"),
)
_DIGEST_BYTES = 32


class KeptProgram:
    """A function of arrays, compiled as by `jax.jit`, whose trace is kept where `may_keep` allows.

    Arrays are whole on every device. Keyword arguments are static.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        may_keep: Callable[..., bool],
        compiler_options: Mapping[str, Any] | None = None,
    ):
        """Prepare the program; nothing is traced yet.

        Args:
            function: pure, of arrays by position and of static arguments by keyword. The text that
                `repr` gives of a static argument must tell it from every other one.
            may_keep: of the same arguments: whether the trace depends on nothing else than what
                the key of this module names. Code of the user's may not be kept.
            compiler_options: as of `jax.jit`.
        """
        functools.update_wrapper(self, function)
        self._function = function
        self._may_keep = may_keep
        self._options = dict(compiler_options or {})
        self._programs: dict[str, Callable[..., Any]] = {}

    def __call__(self, *arrays: Any, **static: Any) -> Any:
        leaves, tree = jax.tree.flatten(replicate(arrays))
        shapes = [(x.shape, str(x.dtype)) for x in map(jax.typeof, leaves)]
        key = f"{tree} {shapes} {sorted(static.items())} {jax.local_device_count()}"
        if key not in self._programs:
            keep = self._may_keep(*arrays, **static) and _is_on() and cache.is_usable()
            make = self._kept if keep else self._traced
            self._programs[key] = make(key, leaves, tree, static)
        return self._programs[key](*leaves)

    def _cache_size(self) -> int:
        """Programs so far, by the name that `jax.jit` gives it."""
        return len(self._programs)

    def _flat(self, tree: Any, static: Mapping[str, Any]) -> Callable[..., Any]:
        def flat(*leaves: Any) -> Any:
            return self._function(*jax.tree.unflatten(tree, leaves), **static)

        flat.__name__ = self.__name__  # type: ignore[attr-defined]  # of the program, in XLA's logs
        return flat

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        everywhere = NamedSharding(local_mesh("items"), P())
        return jax.jit(function, in_shardings=everywhere, compiler_options=self._options)

    def _traced(
        self, key: str, leaves: Sequence[Any], tree: Any, static: Mapping[str, Any]
    ) -> Callable[..., Any]:
        return self._compiled(self._flat(tree, static))

    def _kept(
        self, key: str, leaves: Sequence[Any], tree: Any, static: Mapping[str, Any]
    ) -> Callable[..., Any]:
        flat = self._flat(tree, static)
        path = _path(self.__name__, key)  # type: ignore[attr-defined]
        lowered = _read(path)
        if lowered is None:
            lowered = export.export(self._compiled(flat))(*leaves)
            _write(path, lowered)
        return self._compiled(functools.wraps(flat)(lambda *leaves: lowered.call(*leaves)))


def kept(
    may_keep: Callable[..., bool], compiler_options: Mapping[str, Any] | None = None
) -> Callable[[Callable[..., Any]], KeptProgram]:
    """`KeptProgram` as a decorator."""
    return lambda function: KeptProgram(function, may_keep, compiler_options)


def _is_on() -> bool:
    return not os.environ.get(OFF)


def _path(name: str, key: str) -> Path:
    about = f"{_made_of()} {key} {jax.default_backend()} {jax.devices()[0].device_kind}"
    about += f" {[(one, getattr(jax.config, one, None)) for one in _CONFIGURED]}"
    digest = hashlib.sha256(about.encode()).hexdigest()
    return cache.folder() / "traces" / f"{name.strip('_')}-{digest[:32]}"


@functools.cache
def _made_of() -> str:
    """Versions of the packages, and a digest of MirrorPO's own source."""
    versions = []
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append((name, importlib.metadata.version(name)))
    source = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        source.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return f"{versions} {source.hexdigest()}"


def _read(path: Path) -> export.Exported | None:
    """A kept program; None where there is none, or it is damaged or not of this JAX."""
    try:
        content = path.read_bytes()
        digest, packed = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(packed).digest() != digest:
            return None
        return export.deserialize(bytearray(zlib.decompress(packed)))
    except Exception:  # whatever is wrong with it: it is made again
        return None


def _write(path: Path, program: export.Exported) -> None:
    packed = zlib.compress(program.serialize(), level=1)
    content = hashlib.sha256(packed).digest() + packed
    with contextlib.suppress(OSError):  # a full disk: the next process traces again
        files.write_atomically(path, lambda part: part.write_bytes(content))
