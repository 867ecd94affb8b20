"""Every CPU core as a JAX device, and one map that spreads independent work over all devices."""

import os
import platform
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mirrorpo.runtime import cache

SIMULATION_OPTIONS = {
    "xla_cpu_enable_fast_math": True,
    "xla_cpu_fast_math_honor_nans": True,
    "xla_cpu_fast_math_honor_infs": True,
}
"""Compiler options of programs that only simulate. The order of sums is XLA's to choose there,
which takes a fifth less time on the Ant. NaN and infinities pass through arithmetic, roots,
logarithms and comparisons, but ``x - x`` and ``0 * x`` become 0 whatever x is: that an agent has
diverged is read off its parameters, on the host."""

PORTABLE_CODE = {"xla_cpu_max_isa": "AVX2", "xla_cpu_enable_platform_dependent_math": "false"}
"""What makes a program compute the same digits on every x86-64 processor that knows AVX2: wider
vectors and a processor's own approximate roots and reciprocals each change the last ones, and a
robot's fall makes another trajectory of them. It costs up to a twelfth of the speed of training."""
FEWEST_DEVICES = 2
"""XLA compiles for a single device to other last digits than for two and more."""


def use_all_cores(devices: int | None = None) -> None:
    """Make JAX show one CPU device per core, at least two. Call it before the first array is made.

    Rollouts of small robots do not fill several cores by themselves, but one device
    per core does. With a GPU this changes nothing. A count that the user has set, by
    ``XLA_FLAGS=--xla_force_host_platform_device_count=N`` or ``JAX_NUM_CPU_DEVICES``, is kept, and
    so is any other flag of XLA.

    Args:
        devices: number of CPU devices; None for the cores that this process may use.

    Raises:
        RuntimeError: JAX has already started its back end.
    """
    cores = max(available_cores(), FEWEST_DEVICES)
    # The devices are the parallelism: splitting each small operation over threads besides halves
    # the speed of PPO on Ant.
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false"
    # With its newer emitters of fused operations, XLA takes half as long again to compile a robot,
    # and the program is slower. Releases that do not know the flag abort on it.
    if "xla_cpu_use_fusion_emitters" not in flags and jax.__version_info__ < (0, 11):
        flags = f"{flags} --xla_cpu_use_fusion_emitters=false"
    if platform.machine() in ("x86_64", "AMD64"):
        for flag, value in PORTABLE_CODE.items():
            if flag not in flags:
                flags = f"{flags} --{flag}={value}"
    os.environ["XLA_FLAGS"] = flags.strip()
    # XLA's pool has a thread per core unless NPROC says more. With so few, devices that wait for
    # each other in a collective can hold all of them and wait for ever, as PPO on Ant did once in
    # a while; with many more, operations hop from core to core and PPO loses half its speed.
    os.environ.setdefault("NPROC", str((devices or cores) + 1))
    chosen_by_user = "JAX_NUM_CPU_DEVICES" in os.environ or (
        "xla_force_host_platform_device_count" in flags
    )
    if devices is not None or not chosen_by_user:
        jax.config.update("jax_num_cpu_devices", devices or cores)


def keep_compiled_programs() -> None:
    """Keep what takes long to compile in the user's cache, for this process and later ones.

    Where the cache cannot be written nothing is kept, and JAX need not say so of each program.
    """
    if not cache.is_usable():
        return
    jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def available_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def local_mesh(axis: str, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A one-dimensional mesh of some devices, or all of this process, named `axis`."""
    return Mesh(devices or jax.local_devices(), (axis,))


def items_at_once() -> int:
    """How many items `map_over_devices` runs together on one device: 1 on a CPU, 32 else."""
    return 1 if jax.default_backend() == "cpu" else 32


def replicate(tree: Any) -> Any:
    """Place arrays whole on every device, so that repeated calls do not copy them again."""
    return jax.device_put(tree, NamedSharding(local_mesh("items"), P()))


def map_over_devices(
    function: Callable[..., Any],
    batched: Any,
    *shared: Any,
    devices: Sequence[jax.Device] | None = None,
) -> Any:
    """``function(item, *shared)`` for each item of `batched`, items spread over all devices.

    On a CPU, items of one device are worked off one after another, each with exactly the
    computation that it would have alone: a result does not depend on how many items there are,
    nor on the number of devices from two up (XLA compiles for a single one to other last
    digits), and a killed job can resume anywhere. It is also the faster form for small networks,
    as the work of one item stays in the cache. Other devices need many items at once to be
    busy, so there `items_at_once` of them are vectorised.

    No device waits for another. Devices need unequal times, and beside other work one may get no
    core for a while: XLA ends a process whose devices wait for each other longer than 40 s. So
    what comes out stays where it was computed, and is put together by `gathered`, outside of the
    compiled program.

    Args:
        function: pure; sees one item without its leading axis.
        batched: pytree whose leaves share their leading axis.
        shared: pytrees that every item sees whole; placed once on each device.
        devices: the devices; None for all of this process.

    Returns:
        The results, stacked along a leading axis in the order of `batched`, and the last one
        again until they divide over the devices.
    """
    count = jax.tree.leaves(batched)[0].shape[0]
    mesh, at_once = local_mesh("items", devices), items_at_once()
    missing = -count % mesh.size
    padded = jax.tree.map(
        lambda x: jnp.concatenate([x, jnp.repeat(x[-1:], missing, axis=0)]) if missing else x,
        batched,
    )

    if missing:
        # Whole on every device, which then takes its own part: else the compiler lets the devices
        # exchange what they pad.
        everywhere = NamedSharding(mesh, P())
        padded = jax.lax.with_sharding_constraint(padded, everywhere)

    def on_one_device(items: Any, *seen: Any) -> Any:
        return jax.lax.map(
            lambda item: function(item, *seen), items, batch_size=at_once if at_once > 1 else None
        )

    return jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(P("items"), *(P() for _ in shared)),
        out_specs=P("items"),
        check_vma=False,
    )(padded, *shared)


def gathered(results: Any, count: int) -> Any:
    """The first `count` results of `map_over_devices`, on the host."""
    return jax.tree.map(lambda x: x[:count], jax.device_get(results))
