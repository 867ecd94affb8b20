"""One episode as the places of a robot's parts, for drawing: no physics is needed afterwards."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from mirrorpo.simulation import rollout
from mirrorpo.simulation.evaluation import check_sizes
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import LIMB_ACTIONS, Task

SPHERE, CAPSULE = 2, 3
"""MuJoCo's numbers of the two kinds of geometry that the robots here are made of."""

PLANE = 0


@dataclass(frozen=True)
class Poses:
    """A robot at the start of each step of one episode, up to its fall or the end of the time.

    Lengths are in metres and the ground is at height 0. Every part is a capsule: a cylinder with
    round ends, which is a sphere where both ends are one point.

    Attributes:
        robot: brax's name of it.
        ends: centres of the two round ends of each part, shape (poses, parts, 2, 3), float32.
        radius: the radius of each part, shape (parts,), float32.
        limb: name in `LIMB_ACTIONS` of the limb that each part belongs to; None for the torso
            and for robots whose limbs are not listed.
        torso: the torso's centre, shape (poses, 3), float32.
        returns: sum of true rewards before each pose, shape (poses,), float32.
        total: true return of all steps.
        seconds: between two poses.
    """

    robot: str
    ends: np.ndarray
    radius: np.ndarray
    limb: tuple[str | None, ...]
    torso: np.ndarray
    returns: np.ndarray
    total: float
    seconds: float

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(frozen=True)
class RobotParts:
    """What a robot is made of; `radius` and `limb` as in `Poses`.

    Attributes:
        radius: shape (parts,), float32.
        limb: one name a part.
        link: number of brax's link that each part is fixed to, shape (parts,).
        ends: as in `Poses`, but in the frame of the link, shape (parts, 2, 3).
    """

    radius: np.ndarray
    limb: tuple[str | None, ...]
    link: np.ndarray
    ends: np.ndarray

    def placed(self, places: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """The ends in the world, shape (poses, parts, 2, 3), float32.

        The links are at `places`, shape (poses, links, 3), turned by unit quaternions, shape
        (poses, links, 4).
        """
        turned = _rotate(rotations[:, self.link, None], self.ends)
        return (places[:, self.link, None] + turned).astype(np.float32)


def parts(task: Task) -> RobotParts:
    """The parts of a task's robot; the ground is not among them.

    Raises:
        ValueError: a part is neither a sphere nor a capsule.
    """
    system = task.env.sys
    kinds = np.asarray(system.geom_type)
    which = np.flatnonzero(kinds != PLANE)
    if not np.isin(kinds[which], (SPHERE, CAPSULE)).all():
        raise ValueError(
            f"Robot {task.robot!r} cannot be drawn: it has parts that are neither spheres nor "
            "capsules. Choose another task."
        )
    # MuJoCo's body 0 is the world, brax's link 0 is the first body that moves.
    link = np.asarray(system.geom_bodyid)[which] - 1
    # A capsule lies along its own z axis; half of its cylinder is its second size.
    half = np.where(kinds[which] == CAPSULE, np.asarray(system.geom_size)[which, 1], 0.0)
    along = _rotate(np.asarray(system.geom_quat)[which], np.array([0.0, 0.0, 1.0]))
    centre = np.asarray(system.geom_pos)[which]
    limbs = _limb_of_each_link(task)
    return RobotParts(
        radius=np.asarray(system.geom_size)[which, 0].astype(np.float32),
        limb=tuple(limbs[i] for i in link),
        link=link,
        ends=centre[:, None] + half[:, None, None] * np.stack([-along, along], axis=1),
    )


def record(policy: Policy, task: Task, seed: int = 0) -> Poses:
    """Roll a policy out once, with sampled actions.

    Args:
        policy: one policy, no leading axis.
        task: where to act; its episode length limits the number of poses.
        seed: draws the start state and the action noise.

    Raises:
        ValueError: a policy for another robot, or a robot that `parts` cannot take apart.
    """
    check_sizes(policy, task)
    made_of = parts(task)
    starts, noises = rollout.episode_keys(jax.random.key(seed), 1)
    places, rotations, rewards, valid = (
        np.asarray(x) for x in _roll_out(policy, starts[0], noises[0], task=task)
    )
    length = int(valid.sum())
    places, rewards = places[:length], rewards[:length]
    # The noise of brax's start states leaves their quaternions a little off unit length.
    rotations = rotations[:length]
    rotations = rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)
    return Poses(
        robot=task.robot,
        ends=made_of.placed(places, rotations),
        radius=made_of.radius,
        limb=made_of.limb,
        torso=places[:, 0],
        returns=(np.cumsum(rewards) - rewards).astype(np.float32),
        total=float(rewards.sum()),
        seconds=float(task.env.dt),
    )


@partial(jax.jit, static_argnames="task")
def _roll_out(
    policy: Policy, start_key: jax.Array, noise_key: jax.Array, *, task: Task
) -> tuple[jax.Array, ...]:
    """Place and rotation of each link before each step, the step's reward, and its validity.

    The leading axis has `task.episode_length` steps.
    """

    def step(carry: tuple[Any, ...], t: jax.Array) -> tuple[Any, ...]:
        state, alive = carry
        link = state.pipeline_state.x
        action = policy.act(state.obs, jax.random.fold_in(noise_key, t))
        after = task.step(state, action)
        seen = (link.pos, link.rot, after.reward, alive)
        return (after, alive & (after.done < 0.5)), seen

    start = (task.reset(start_key), jax.numpy.bool_(True))
    return jax.lax.scan(step, start, jax.numpy.arange(task.episode_length))[1]


def _limb_of_each_link(task: Task) -> list[str | None]:
    """The limb whose actions drive each link's own joint."""
    system = task.env.sys
    limbs: list[str | None] = [None] * system.num_links()
    for limb, actions in LIMB_ACTIONS.get(task.robot, {}).items():
        for action in actions:
            joint = system.dof_jntid[system.actuator.qd_id[action]]
            limbs[int(system.jnt_bodyid[joint]) - 1] = limb
    return limbs


def _rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """`vector`, shape (..., 3), turned by unit quaternions, shape (..., 4), real part first."""
    axis = quaternion[..., 1:]
    twice = 2.0 * np.cross(axis, vector)
    return vector + quaternion[..., :1] * twice + np.cross(axis, twice)
