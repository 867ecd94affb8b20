"""The number of a draw means the same trajectories on every processor."""

import hashlib
import os
import platform
from pathlib import Path

import numpy as np
import pytest

from mirrorpo import versions
from mirrorpo.agents import agent_files, sources
from mirrorpo.preferences import blocks
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
