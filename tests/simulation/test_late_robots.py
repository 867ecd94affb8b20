"""A robot of brax is imported and read when its physics are asked for, and is then the same."""

import json
import subprocess
import sys

import pytest

START = """
import json, sys
from mirrorpo.runtime.start import start_jax
start_jax()
import jax, numpy as np
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.policy import new_policy

def imported():
    return [name for name in ("brax", "mujoco", "sklearn", "pandas") if name in sys.modules]
"""

SCORED = """
zeros = np.zeros(11, "f4")
policy = new_policy(jax.random.key(0), 3, zeros, zeros + 1, (8,))
policies = jax.tree.map(lambda x: x[None], policy)
hopper = tasks.load("hopper", "spring", 20)
returns = evaluation.returns(policies, hopper, 3).tolist()
import mirrorpo.training.learner
print(json.dumps([imported(), returns]))
"""

TRACED = """
hopper = tasks.load("hopper", "spring", 20)
key = jax.random.key(0)
first = jax.jit(hopper.reset)(key).obs
jax.clear_caches()
again = jax.jit(lambda key: hopper.reset(key).obs + 0)(key)
from brax import envs
from mirrorpo.simulation.start_states import stand_on_floor
usual = jax.jit(stand_on_floor(envs.get_environment("hopper", backend="spring")).reset)(key).obs
arrays = jax.tree.leaves(hopper.env.sys)
traced = [one for one in arrays if isinstance(one, jax.core.Tracer)]
print(json.dumps([len(traced), *(x.tolist() for x in (first, again, usual))]))
"""

REPLACED = """
from brax import envs
from brax.envs.walker2d import Walker2d
class Own(Walker2d):
    pass
envs.register_environment("hopper", Own)
hopper = tasks.load("hopper", "spring")
print(json.dumps([hopper.is_of_brax, hopper.observation_size, hopper.action_size]))
"""

UNKNOWN = """
said = []
for robot, backend in (("hoper", "spring"), ("hopper", "bullet")):
    try:
        tasks.Task("a task", robot, backend)
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRRORPO_CACHE", str(tmp_path))
    monkeypatch.delenv("MIRRORPO_NO_KEPT_TRACES", raising=False)


def ran(code):
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_warm_start_imports_no_simulator_and_scores_the_same(monkeypatch):
    imported, returns = ran(SCORED)
    assert imported == ["brax", "mujoco"]
    assert ran(SCORED) == [[], returns]
    monkeypatch.setenv("MIRRORPO_NO_KEPT_TRACES", "1")
    assert ran(SCORED) == [["brax", "mujoco"], returns]


def test_a_robot_that_a_trace_asks_for_first_is_no_part_of_the_trace():
    traced, first, again, usual = ran(TRACED)
    assert traced == 0
    assert first == again == usual


def test_a_robot_that_the_user_registered_under_a_name_of_brax_is_not_taken_for_it():
    assert ran(REPLACED) == [False, 17, 6]


def test_a_robot_that_there_is_not_is_refused_at_once():
    missing, backend = ran(UNKNOWN)
    assert missing == "KeyError: 'hoper'"
    assert "unknown backend 'bullet'" in backend
