"""Start states in which a robot stands: no part of it begins inside the floor."""

from typing import Any

import jax
import jax.numpy as jnp
import mujoco
from brax import contact
from brax.envs.base import PipelineEnv


def stand_on_floor(env: PipelineEnv) -> PipelineEnv:
    """Make every start state of `env` one that stands on the floor, and return `env`.

    brax draws a robot's height and joints at random. Where a foot then lies inside the floor,
    the next step pushes it out with an impulse that throws the robot metres high. Here the robot
    is lifted by just what its lowest point lacks; a start state without such a point is kept.

    Raises:
        ValueError: the robot has no joint that moves it up and down.
    """
    if getattr(env, "sys", None) is None:
        # Not a robot: brax's own stand-in without a body.
        return env
    vertical = _vertical_coordinate(env.sys.mj_model)
    place = env.pipeline_init

    def placed_on_floor(q: jax.Array, qd: jax.Array, *rest: Any) -> Any:
        state = place(q, qd, *rest)
        depth = _depth_below_floor(env, state)
        return state if depth is None else place(q.at[vertical].add(depth), qd, *rest)

    env.pipeline_init = placed_on_floor
    return env


def _depth_below_floor(env: PipelineEnv, state: Any) -> jax.Array | None:
    """How deep the robot's lowest colliding point lies in the floor, at least 0, in metres."""
    found = state.contact if env.backend == "mjx" else contact.get(env.sys, state.x)
    if found is None:
        return None
    is_floor = jnp.asarray(env.sys.mj_model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    with_floor = is_floor[found.geom[:, 0]] | is_floor[found.geom[:, 1]]
    return jnp.maximum(-jnp.min(jnp.where(with_floor, found.dist, 0.0)), 0.0)


def _vertical_coordinate(model: mujoco.MjModel) -> int:
    """Index of the generalised coordinate that moves the whole robot up."""
    for joint in range(model.njnt):
        start = int(model.jnt_qposadr[joint])
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
            return start + 2
        moves_up = model.jnt_axis[joint][2] > 0.99
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE and moves_up:
            return start
    raise ValueError("This robot has no joint that moves it up and down.")
