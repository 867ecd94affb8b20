"""JAX's start: once per process, by whoever needs it first."""

import contextlib
import functools
import logging
import os


@functools.cache
def start_jax() -> None:
    """All cores as devices, and compiled programs kept for the next time.

    JAX is imported here, so this module is light. Where the caller's program has started JAX
    already, its devices stay as they are.

    Raises:
        ValueError: JAX finds no device of the kind that the user asks for.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)

    from mirrorpo.runtime.devices import keep_compiled_programs, use_all_cores

    # JAX says so where it has started: its devices are its user's choice.
    with contextlib.suppress(RuntimeError):
        use_all_cores()
    keep_compiled_programs()
    _see_devices()


def _see_devices() -> None:
    """Start JAX's back end now, so that a missing device fails before a run begins."""
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        asked = os.environ.get("JAX_PLATFORMS")
        wanted = f"JAX_PLATFORMS={asked}" if asked else "its devices"
        # JAX has an assertion without a word for a kind that is known, and not there.
        said = str(error).split(" (you may")[0].rstrip(".") or "there is no such device"
        raise ValueError(
            f"JAX cannot start with {wanted}: {said}. Unset JAX_PLATFORMS to take what there is."
        ) from None
