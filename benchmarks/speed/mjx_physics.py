"""Physics of MJX, by its own implementation or MuJoCo Warp's: environment steps per second.

As `native_physics`: no policy, no observation and no reward; motor commands are drawn beforehand
and hold for one environment step each.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
from mujoco import mjx

from .timing import timed

# Of each environment, for the buffers of MuJoCo Warp: half-cheetah has 9 geoms and 9 degrees.
_CONTACTS, _CONSTRAINTS = 32, 128


def measure(
    model: mujoco.MjModel,
    frames: int,
    implementation: str,
    environments: int,
    steps: int,
    least_seconds: float,
) -> dict[str, Any]:
    """Rates of a batch of environments.

    Args:
        model: the robot, with the time step of one frame.
        frames: physics steps for each environment step.
        implementation: "jax" or "warp".
        environments: stepped together.
        steps: environment steps of each.
        least_seconds: see `timed`.
    """
    if implementation == "warp" and find_spec("warp") is None:
        return {"note": "MuJoCo Warp is not installed: pip install warp-lang"}
    seconds = timed(_stepper(model, frames, implementation, environments, steps), least_seconds)
    total = environments * steps
    return {
        "steps_a_second": total / seconds.fastest,
        "physics_steps_a_second": total * frames / seconds.fastest,
        "compile_seconds": seconds.first_extra,
    }


def _stepper(
    model: mujoco.MjModel, frames: int, implementation: str, environments: int, steps: int
) -> Callable[[], Any]:
    """A function that rolls all environments out and returns their last positions, of shape
    (environments, coordinates)."""
    placed = mjx.put_model(model, impl=implementation)
    sizes = {}
    if implementation == "warp":
        sizes = {"naconmax": _CONTACTS * environments, "njmax": _CONSTRAINTS}
    start = mjx.make_data(model, impl=implementation, **sizes)
    commands = jax.random.uniform(
        jax.random.key(0), (steps, environments, model.nu), minval=-1.0, maxval=1.0
    )
    step = jax.vmap(lambda data: mjx.step(placed, data))

    @jax.jit
    def roll_out(commands: jax.Array) -> jax.Array:
        many = jax.tree.map(lambda x: jnp.broadcast_to(x, (environments, *jnp.shape(x))), start)

        def one(data: Any, command: jax.Array) -> tuple[Any, None]:
            data = data.replace(ctrl=command)
            return jax.lax.fori_loop(0, frames, lambda _, now: step(now), data), None

        return jax.lax.scan(one, many, commands)[0].qpos

    return lambda: roll_out(commands).block_until_ready()
