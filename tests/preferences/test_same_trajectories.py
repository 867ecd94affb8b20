"""The number of a draw means the same trajectories on every processor with any number of cores."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from mirrorpo import versions
from mirrorpo.agents import agent_files, sources
from mirrorpo.preferences import blocks, data
from mirrorpo.runtime.devices import FEWEST_DEVICES, use_all_cores
from mirrorpo.simulation import tasks

MADE_WITH = {"jaxlib": "0.10.2", "brax": "0.14.2", "mujoco": "4.0.0"}
DIGEST = "7b7cc1ab68d1"
"""Of the first 20 steps, made on an AMD EPYC that knows AVX-512 and on an emulated Intel Haswell,
which does not."""


def _knows_avx2() -> bool:
    known = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and known.is_file() and " avx2 " in known.read_text()


def _comparable() -> bool:
    installed = versions.installed()
    return _knows_avx2() and all(installed.get(n) == v for n, v in MADE_WITH.items())


@pytest.mark.skipif(not _comparable(), reason="the digest is of these versions, on x86-64")
def test_a_draw_has_the_same_trajectories_as_on_the_processors_that_made_the_digest(optimised):
    task = tasks.load("hopper", None, 20)
    chosen = sources.choose("hopper", None, None, 100)
    policies = [agent_files.load_source(n, "")[0] for n in (chosen.better, chosen.worse)]
    block = blocks.simulate(policies, 0, 100, 0, task)
    digest = hashlib.sha256()
    for name in sorted(block):
        digest.update(np.ascontiguousarray(block[name]).tobytes())
    assert digest.hexdigest()[:12] == DIGEST


def _pool(rows: int) -> data.Pool:
    return data.simulate(tasks.load("hopper", None, 5), rows, 0)


def test_each_place_has_devices_of_its_own(monkeypatch):
    monkeypatch.setattr(blocks, "DEVICES_A_BLOCK", 1)
    count = jax.local_device_count()
    assert blocks.at_once(tasks.load("hopper")) == count
    assert {blocks._devices_of(place) for place in range(count)} == {(d,) for d in jax.devices()}


@pytest.mark.slow
def test_blocks_that_are_simulated_side_by_side_make_the_same_pool(monkeypatch):
    monkeypatch.setattr(blocks, "DEVICES_A_BLOCK", 1)
    used = []
    devices_of = blocks._devices_of
    monkeypatch.setattr(blocks, "_devices_of", lambda n: used.append(n) or devices_of(n))
    together = _pool(250)
    assert sorted(used) == [0, 0, 1]
    monkeypatch.setattr(blocks, "at_once", lambda task: 1)
    alone = _pool(250)
    for name, value in vars(alone.trajectories).items():
        np.testing.assert_array_equal(getattr(together.trajectories, name), value, err_msg=name)


OF_A_BLOCK = """
import hashlib
import jax
from mirrorpo.runtime.start import start_jax
start_jax()
from mirrorpo.agents import agent_files, sources
from mirrorpo.preferences import blocks
from mirrorpo.simulation import tasks

task = tasks.load("tla", None, 20)
chosen = sources.choose("tla", None, None, 100)
policies = [agent_files.load_source(n, "")[0] for n in (chosen.better, chosen.worse)]
for place in range(blocks.at_once(task)):
    block = blocks.simulate(policies, 0, 100, 0, task, place)
    joined = b"".join(block[name].tobytes() for name in sorted(block))
    print(jax.local_device_count(), hashlib.sha256(joined).hexdigest())
"""


@pytest.mark.slow
def test_the_ant_walks_the_same_way_on_any_number_of_devices():
    seen = []
    for devices in ("2", "3", "4"):
        environment = {**os.environ, "JAX_NUM_CPU_DEVICES": devices}
        environment.pop("JAX_DISABLE_MOST_OPTIMIZATIONS", None)
        done = subprocess.run(
            [sys.executable, "-c", OF_A_BLOCK],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seen += [line.split() for line in done.stdout.splitlines()]
    assert [count for count, _ in seen] == ["2", "3", "4", "4"]
    assert len({digest for _, digest in seen}) == 1


def test_a_machine_of_one_core_has_as_many_devices_as_the_digits_need(monkeypatch):
    monkeypatch.setattr("mirrorpo.runtime.devices.available_cores", lambda: 1)
    seen = {}
    monkeypatch.setattr("jax.config.update", lambda name, value: seen.update({name: value}))
    for name in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS", "NPROC"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    use_all_cores()
    assert seen["jax_num_cpu_devices"] == FEWEST_DEVICES


def test_flags_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setattr("jax.config.update", lambda name, value: None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2")
    monkeypatch.setenv("NPROC", "3")
    use_all_cores()
    assert os.environ["XLA_FLAGS"].count("xla_cpu_max_isa") == 1
    assert "--xla_cpu_max_isa=SSE4_2" in os.environ["XLA_FLAGS"]
