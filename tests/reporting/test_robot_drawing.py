import dataclasses
import math
from functools import cache

import jax
import mujoco
import numpy as np
import pytest
from PIL import Image

from mirrorpo.reporting.page import rollouts
from mirrorpo.reporting.robots import poses, robot_drawing
from mirrorpo.reporting.robots.robot_drawing import View, draw
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import new_policy


def still(ends, radius, limb=None):
    """Two equal poses of a made-up robot. `ends` has shape (parts, 2, 3)."""
    ends = np.array(ends, "f4")
    return poses.Poses(
        robot="made up",
        ends=np.stack([ends, ends]),
        radius=np.array(radius, "f4"),
        limb=limb or (None,) * len(ends),
        torso=np.zeros((2, 3), "f4"),
        returns=np.array([0.0, 1.0], "f4"),
        total=2.0,
        seconds=0.1,
    )


def red(picture):
    """Pixels of the highlighted limb."""
    colour = picture.astype(int)
    return colour[..., 0] > 1.8 * colour[..., 2]


@cache
def bent(robot, backend):
    """A task, joint positions away from rest, and the places and rotations of its links there."""
    task = tasks.load(robot, backend=backend)
    system = task.env.sys
    q = np.array(system.init_q) + np.random.default_rng(0).uniform(-0.4, 0.4, system.q_size())
    if robot == "ant":
        q[3:7] /= np.linalg.norm(q[3:7])
    state = jax.jit(task.env.pipeline_init)(q.astype("f4"), np.zeros(system.qd_size(), "f4"))
    # The robot is lifted out of the floor first.
    return task, np.asarray(state.q), np.asarray(state.x.pos), np.asarray(state.x.rot)


def bent_poses(robot, backend):
    task, _, places, rotations = bent(robot, backend)
    parts = poses.parts(task)
    ends = parts.placed(places[None], rotations[None])
    return poses.Poses(
        robot=robot,
        # On the ground, wherever the random joints have left it.
        ends=ends - [0, 0, (ends[..., 2] - parts.radius[:, None]).min()],
        radius=parts.radius,
        limb=parts.limb,
        torso=places[:1],
        returns=np.zeros(1, "f4"),
        total=0.0,
        seconds=float(task.env.dt),
    )


@pytest.mark.parametrize(
    ("robot", "backend"),
    [
        ("hopper", "positional"),
        ("ant", "spring"),
        pytest.param("ant", "positional", marks=pytest.mark.slow),
        pytest.param("hopper", "mjx", marks=pytest.mark.slow),
        pytest.param("ant", "mjx", marks=pytest.mark.slow),
    ],
)
def test_every_part_is_where_mujoco_puts_it(robot, backend):
    task, q, places, rotations = bent(robot, backend)
    parts = poses.parts(task)
    found = parts.placed(places[None], rotations[None])[0]
    model = task.env.sys.mj_model
    expected = mujoco.MjData(model)
    expected.qpos[:] = q
    mujoco.mj_kinematics(model, expected)
    geometries = np.flatnonzero(model.geom_type != poses.PLANE)
    assert len(geometries) == len(found)
    for part, geometry in enumerate(geometries):
        centre = expected.geom_xpos[geometry]
        along = expected.geom_xmat[geometry].reshape(3, 3)[:, 2]
        capsule = model.geom_type[geometry] == poses.CAPSULE
        half = model.geom_size[geometry, 1] if capsule else 0
        wanted = [centre - half * along, centre + half * along]
        np.testing.assert_allclose(found[part], wanted, atol=1e-4)
        assert parts.radius[part] == pytest.approx(model.geom_size[geometry, 0])


def test_a_recorded_episode_ends_with_its_fall_and_carries_its_return():
    # As the page draws one, and `agents render` in its test: one program for all three.
    task = tasks.load("hopper", backend="spring", episode_length=rollouts.STEPS)
    policy = new_policy(jax.random.key(0), 3, np.zeros(11, "f4"), np.ones(11, "f4"), (8,))
    found = poses.record(policy, task, seed=3)
    assert 1 < len(found) < rollouts.STEPS
    assert found.ends.shape == (len(found), 4, 2, 3)
    assert found.returns.shape == (len(found),)
    assert found.returns[0] == 0
    assert found.total > found.returns[-1], "the last step earns reward too"
    assert found.seconds == pytest.approx(float(task.env.dt))
    assert (np.abs(np.diff(found.ends, axis=0)).max(axis=(1, 2, 3)) > 0).all()


def test_each_ant_leg_has_its_three_parts_and_the_torso_belongs_to_none():
    limb = poses.parts(bent("ant", "spring")[0]).limb
    assert limb[:5] == (None,) * 5
    assert limb[5:] == ("leg_1",) * 3 + ("leg_2",) * 3 + ("leg_3",) * 3 + ("leg_4",) * 3


def test_a_sphere_is_a_circle_of_the_size_that_perspective_gives_it():
    sphere = still([[[0, 0, 1]] * 2], [0.5], limb=("only",))
    picture = red(draw(sphere, 0, View(elevation=0.0, margin=2.0), "only", (300, 300)))
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    # The camera looks at height 0.75, half of the highest point's, so the reach is 0.25 + 0.5.
    distance = 2.0 * 0.75 / math.sin(math.radians(15))
    seen = 2 * 150 * 0.5 / math.sqrt(distance**2 - 0.5**2) / math.tan(math.radians(15))
    assert len(columns) == pytest.approx(seen, abs=2)
    assert len(rows) == pytest.approx(seen, abs=2), "equal aspect"
    assert columns.mean() == pytest.approx(149.5, abs=1)


def test_a_capsule_looks_like_a_dense_row_of_spheres():
    start, end = np.array([-0.5, -0.3, 0.3]), np.array([0.4, 0.5, 0.9])
    centres = start + np.linspace(0, 1, 100)[:, None] * (end - start)
    row = still(np.stack([centres, centres], axis=1), [0.2] * 100)
    capsule = still([[start, end]], [0.2])
    difference = draw(capsule, 0, size=(120, 100)).astype(int) - draw(row, 0, size=(120, 100))
    assert (np.abs(difference) > 8).mean() < 1e-3


def test_the_nearer_part_hides_the_other():
    view = View(azimuth=-90.0, elevation=0.0)
    balls = still([[[0, -1, 0.3]] * 2, [[0, 1, 0.3]] * 2], [0.3, 0.3], ("front", "behind"))
    assert red(draw(balls, 0, view, "front")).any()
    assert not red(draw(balls, 0, view, "behind")).any()


def test_only_the_named_limb_is_highlighted():
    ant = bent_poses("ant", "spring")
    assert red(draw(ant, 0, highlight="leg_4")).sum() > 300
    assert not red(draw(ant, 0)).any()


@pytest.mark.parametrize(("robot", "backend"), [("ant", "spring"), ("hopper", "positional")])
def test_no_part_leaves_the_picture(robot, backend):
    found = bent_poses(robot, backend)
    found = dataclasses.replace(found, limb=("all",) * len(found.limb))
    picture = red(draw(found, 0, highlight="all"))
    assert picture.sum() > 1000
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert not edge.any()


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [(301, 4, [0, 100, 200, 300]), (3, 8, [0, 1, 2]), (50, 1, [0]), (1, 5, [0])],
)
def test_frames_are_spread_from_the_first_to_the_last_pose(count, wanted, expected):
    assert robot_drawing.spread(count, wanted) == expected


def test_frames_below_one_are_refused(tmp_path):
    with pytest.raises(ValueError, match="frames must be at least 1"):
        robot_drawing.save_strip(tmp_path / "x.png", still([[[0, 0, 1]] * 2], [0.5]), 0, "")
    assert not list(tmp_path.iterdir())


def test_a_strip_and_an_animation_are_whole_files(tmp_path):
    ball = still([[[0, 0, 1]] * 2], [0.5])
    robot_drawing.save_strip(tmp_path / "strip.png", ball, 2, "a ball")
    with Image.open(tmp_path / "strip.png") as strip:
        strip.load()
        assert strip.width > strip.height
    robot_drawing.save_animation(tmp_path / "film.gif", ball)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 2
        assert film.info["duration"] == 100, "two poses of 0.1 s play in 0.2 s"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "strip.png"]
