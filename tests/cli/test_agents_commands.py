"""Commands about source agents: what they print, the files they write, and users' mistakes."""

import contextlib
import functools
import gc
import json

import jax
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mirrorpo as mpo
from mirrorpo.agents import limb_use
from mirrorpo.agents.agent_files import AgentCard, load, save
from mirrorpo.cli import main
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import new_policy
from tests.light_ant import in_place_of_ant


@pytest.fixture(autouse=True)
def short_episodes(monkeypatch):
    """Episodes of 30 steps wherever a command does not say how long they are."""
    for name in ("load", "robot"):
        short = functools.partial(getattr(tasks, name), episode_length=30)
        monkeypatch.setattr(tasks, name, short)


@pytest.fixture(scope="module", params=["light", pytest.param("ant", marks=pytest.mark.slow)])
def robot(request):
    """The light Ant in place of the real one, or the real one."""
    with in_place_of_ant() if request.param == "light" else contextlib.nullcontext():
        yield


@pytest.fixture(scope="module")
def ants(robot, tmp_path_factory):
    """Files of two random Ant agents, the second with less noise."""
    folder = tmp_path_factory.mktemp("ants")
    for name, std in (("loud", 1.0), ("calm", 0.41)):
        zeros, ones = np.zeros(27, "f4"), np.ones(27, "f4")
        policy = new_policy(jax.random.key(0), 8, zeros, ones, (8,), initial_std=std)
        save(folder / name, policy, AgentCard(name, "ant", "spring", 0.0, 1.0, 100, 0, 1000, 0))
    return folder / "loud.safetensors", folder / "calm.safetensors"


def run(*words):
    main([str(word) for word in words])


def fail(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        run(*words)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert error.startswith("mirrorpo: ")
    return error


SPRING = ("--task", "tla", "--backend", "spring", "--episodes", "4")


def test_calibrate_prints_and_writes_the_coefficient_and_its_curve(capsys, tmp_path, ants):
    # The wanted return is the one at coefficient 3, so 3 must come out.
    use = limb_use.measure(load(ants[0])[0], tasks.load("tla", backend="spring"), episodes=4)
    target = float(np.mean(use.returns - 3.0 * use.squared_sums("leg_4")))
    out = tmp_path / "calibration"
    command = ("agents", "calibrate", ants[0], *SPRING, "--target", target, "--out", out)
    run(*command)
    shown = capsys.readouterr().out
    card = json.loads((out / "calibration.json").read_text())
    assert card["coefficient"]["value"] == pytest.approx(3.0, rel=1e-4)
    assert "Coefficient 3 ±" in shown
    assert (card["limb"], card["episodes"], card["backend"]) == ("leg_4", 4, "spring")

    curve = pd.read_csv(out / "calibration.csv")
    assert len(curve) == 9
    assert curve.coefficient[0] == 0
    assert curve.return_mean[0] == pytest.approx(card["plain_return"]["value"])
    assert curve.coefficient[4] == pytest.approx(3.0, rel=1e-4)
    assert curve.return_mean[4] == pytest.approx(target)
    assert curve.coefficient[8] == pytest.approx(6.0, rel=1e-4)

    measured = card["measured"]
    assert (measured["coefficient"], measured["seed"]) == (3.0, 1)
    errors = measured["standard_error"], curve.return_standard_error[4]
    assert abs(measured["value"] - target) < 5 * np.hypot(*errors)
    with Image.open(out / "calibration.png") as plot:
        plot.load()

    assert "nothing is overwritten" in fail(capsys, *command)


def test_limbs_prints_draws_and_writes_the_use_of_each_limb(capsys, tmp_path, ants):
    run("agents", "limbs", *ants, *SPRING, "--out", tmp_path / "limbs.png")
    shown = capsys.readouterr().out
    assert "leg_4 (penalised)" in shown
    frame = pd.read_csv(tmp_path / "limbs.csv")
    assert list(frame.agent) == ["loud"] * 4 + ["calm"] * 4
    assert list(frame.limb[:4]) == ["leg_4", "leg_1", "leg_2", "leg_3"]
    use = frame.groupby("agent").mean_absolute_action.mean()
    assert use["calm"] < use["loud"]
    assert f"{frame.mean_absolute_action[0]:.3f} ±" in shown
    with Image.open(tmp_path / "limbs.png") as plot:
        plot.load()
    written = (tmp_path / "limbs.csv").read_text()
    error = fail(capsys, "agents", "limbs", *ants, *SPRING, "--out", tmp_path / "limbs.png")
    assert "nothing is overwritten" in error

    # A kill between the two files: the same command completes.
    (tmp_path / "limbs.png").unlink()
    (tmp_path / ".limbs.png.0a1b2c3d.part").mkdir()
    run("agents", "limbs", *ants, *SPRING, "--out", tmp_path / "limbs.png")
    assert (tmp_path / "limbs.csv").read_text() == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["limbs.csv", "limbs.png"]

    (tmp_path / "limbs.png").unlink()
    (tmp_path / "limbs.csv").write_text("a,table,of,others\n")
    error = fail(capsys, "agents", "limbs", *ants, *SPRING, "--out", tmp_path / "limbs.png")
    assert "it is not overwritten" in error
    assert (tmp_path / "limbs.csv").read_text() == "a,table,of,others\n"


def test_render_draws_a_strip_and_an_animation(capsys, tmp_path, two_agents):
    strip, film = tmp_path / "strip.png", tmp_path / "film.gif"
    command = ("agents", "render", two_agents[0], "--backend", "spring", "--steps", "200")
    run(*command, "--frames", "3", "--out", strip)
    assert "of first on hopper: true return" in capsys.readouterr().out
    with Image.open(strip) as picture:
        assert picture.width > 2 * picture.height
    run(*command, "--frames", "2", "--out", film)
    with Image.open(film) as animation:
        assert animation.n_frames == 2
    capsys.readouterr()
    assert "nothing is overwritten" in fail(capsys, *command, "--out", strip)


def test_from_python_a_picture_without_a_file_goes_with_its_result(tmp_path, two_agents):
    drawn = mpo.render(two_agents[0], backend="spring", steps=200, frames=3)
    kept = drawn.save(tmp_path / "kept.png")
    assert kept.read_bytes() == drawn._repr_png_() == drawn.file.read_bytes()
    assert str(drawn).startswith(f"{drawn.file}: {drawn.steps} steps of first on hopper")
    file = drawn.file
    del drawn
    gc.collect()
    assert not file.exists()


def test_from_python_limbs_and_calibrations_need_no_file(ants):
    found = mpo.limbs(*ants, task="tla", backend="spring", episodes=4)
    assert list(found.table.agent) == ["loud"] * 4 + ["calm"] * 4
    assert (found.penalised, len(found.plot().axes)) == ("leg_4", 1)
    loud = found.uses["loud"]
    target = float(np.mean(loud.returns - 3.0 * loud.squared_sums("leg_4")))
    done = mpo.calibrate(ants[0], task="tla", target=target, backend="spring", episodes=4)
    assert done.rounded == 3.0
    assert str(done).startswith("Coefficient 3 ±")


def test_evaluate_takes_a_coefficient_in_place_of_the_tasks_own(capsys, ants):
    run("agents", "evaluate", ants[0], *SPRING, "--penalty-coefficient", "3")
    assert "on tla (spring, penalty 3): true return" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("calibrate", "AGENT", *SPRING, "--target", "1e6"), "above the policy's return without"),
        (("calibrate", "AGENT", "--task", "ant", "--target", "0"), "no penalty to calibrate"),
        (("calibrate", "AGENT", "--task", "tlaa", "--target", "0"), "Did you mean tla"),
        (("calibrate", "nobody", *SPRING, "--target", "0"), "No agent named"),
        (("limbs", *SPRING), "at least one agent"),
        (("limbs", "hopper-bad", "--task", "hopper"), "are not listed"),
        (("render", "AGENT", "--steps", "0"), "steps must be at least 1"),
        (("render", "AGENT", "--frames", "0"), "frames must be at least 1"),
        (("render", "AGENT", "--task", "hopper"), "27 observations"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(capsys, tmp_path, ants, words, message):
    words = [ants[0] if word == "AGENT" else word for word in words]
    out = tmp_path / ("folder" if words[0] == "calibrate" else "picture.png")
    assert message in fail(capsys, "agents", *words, "--out", out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["limbs", "render"])
def test_pictures_of_other_kinds_are_refused(capsys, tmp_path, ants, command):
    words = ("agents", command, ants[0], "--task", "tla", "--out", tmp_path / "picture.jpg")
    assert "end the name in .png" in fail(capsys, *words)


@pytest.mark.parametrize(
    ("task", "coefficient", "message"),
    [("tla", "-1", "not negative"), ("tla", "nan", "not negative"), ("ant", "1", "no penalty")],
)
def test_bad_coefficients_are_refused(capsys, ants, task, coefficient, message):
    words = ("evaluate", ants[0], "--task", task, "--penalty-coefficient", coefficient)
    assert message in fail(capsys, "agents", *words)
