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

    Keyword arguments are static. Where the trace is kept, arrays are whole on every device.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnames: Sequence[str],
        may_keep: Callable[..., bool],
        compiler_options: Mapping[str, Any] | None = None,
    ):
        """Prepare the program; nothing is traced yet.

        Args:
            function: pure, of arrays by position and of static arguments by keyword.
            static_argnames: the names of these. Where `may_keep` allows, two static arguments that
                differ must have different `repr`.
            may_keep: takes the same arguments; True if a trace may be kept. Everything that the
                trace depends on must be in the key, so code of the user's may not be kept.
            compiler_options: as of `jax.jit`.
        """
        functools.update_wrapper(self, function)
        self._function = function
        self._may_keep = may_keep
        self._options = dict(compiler_options or {})
        self._traced: Any = jax.jit(
            function, static_argnames=static_argnames, compiler_options=self._options
        )
        self._programs: dict[str, Callable[..., Any]] = {}

    def __call__(self, *arrays: Any, **static: Any) -> Any:
        """Run the program; arguments as of the function."""
        if not self._may_keep(*arrays, **static):
            return self._traced(*arrays, **static)
        leaves, tree = jax.tree.flatten(replicate(arrays))
        shapes = [(x.shape, str(x.dtype)) for x in leaves]
        key = f"{tree} {shapes} {sorted(static.items())} {jax.local_device_count()}"
        if key not in self._programs:
            self._programs[key] = self._kept(key, self._flat(tree, static), leaves)
        return self._programs[key](*leaves)

    def _cache_size(self) -> int:
        """Programs so far, by the name that `jax.jit` gives it."""
        return len(self._programs) + int(self._traced._cache_size())

    def _flat(self, tree: Any, static: Mapping[str, Any]) -> Any:
        """The program as a function of the arrays' leaves."""

        def flat(*leaves: Any) -> Any:
            return self._function(*jax.tree.unflatten(tree, leaves), **static)

        return self._compiled(flat)

    def _kept(self, key: str, flat: Any, leaves: Sequence[Any]) -> Any:
        """The same, of the lowered program that was kept, or is now.

        Where nothing is kept it is lowered all the same: compiled from the trace, sums would have
        another order.
        """
        path = _path(self._function.__name__, key)
        keeping = cache.is_usable() and not os.environ.get(OFF)
        lowered = _read(path) if keeping else None
        if lowered is None:
            try:
                lowered = export.export(flat)(*leaves)
            except ValueError:  # it calls what no other process is sure to have, as kernels of Warp
                return flat
            if keeping:
                _write(path, lowered)
        found = lowered
        return self._compiled(lambda *leaves: found.call(*leaves))

    def _compiled(self, function: Callable[..., Any]) -> Any:
        function.__name__ = self._function.__name__  # in XLA's logs
        everywhere = NamedSharding(local_mesh("items"), P())
        return jax.jit(function, in_shardings=everywhere, compiler_options=self._options)


def kept_program(
    static_argnames: Sequence[str],
    may_keep: Callable[..., bool],
    compiler_options: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], KeptProgram]:
    """`KeptProgram` as a decorator."""
    return lambda function: KeptProgram(function, static_argnames, may_keep, compiler_options)


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
    # A full disk, or no flatbuffers: the next process traces again.
    with contextlib.suppress(OSError, ImportError):
        packed = zlib.compress(program.serialize(), level=1)
        content = hashlib.sha256(packed).digest() + packed
        files.write_atomically(path, lambda part: part.write_bytes(content))
