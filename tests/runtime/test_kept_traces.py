"""A rollout's trace is kept on disk, and read only where it is what would be traced."""

import importlib.metadata
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo.runtime import kept_traces
from mirrorpo.runtime.devices import map_over_devices

TWICE = """
import json, sys
from mirrorpo.runtime.devices import map_over_devices, use_all_cores
use_all_cores(devices=2)
import jax, jax.numpy as jnp
from mirrorpo.runtime import kept_traces
traced = []
@kept_traces.kept_program(("power",), lambda *a, **k: {keep})
def program(x, pair, *, power):
    traced.append(power)
    out = map_over_devices(lambda one, y: jnp.sin(one) * y**power, x, pair["b"])
    return {{"found": out, "sum": jnp.sum(x) + pair["a"]}}
found = program(jnp.arange(5.0), {{"a": 1.0, "b": jnp.float32(2)}}, power={power})
print(json.dumps([len(traced), found["found"].tolist()[:5], float(found["sum"])]))
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRRORPO_CACHE", str(tmp_path))
    monkeypatch.delenv(kept_traces.OFF, raising=False)
    return tmp_path / "traces"


def ran(power=3, keep=True):
    code = TWICE.format(power=power, keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    times, *found = json.loads(done.stdout)
    return times, found


def test_a_second_process_does_not_trace_and_finds_the_same(cache):
    first, found = ran()
    assert first == 1
    assert found[0] == pytest.approx(np.sin(np.arange(5)) * 8, rel=1e-6)
    again, same = ran()
    assert (again, same) == (0, found)
    assert ran(power=2)[0] == 1, "another setting is another program"
    (kept, _) = sorted(cache.iterdir())
    kept.write_bytes(kept.read_bytes()[:-3])
    for other in sorted(cache.iterdir())[1:]:
        other.write_bytes(b"")
    assert ran() == (1, found), "what is damaged is made again"


def test_what_may_not_be_kept_is_traced_each_time(cache):
    assert ran(keep=False)[0] == 1
    assert ran(keep=False)[0] == 1
    assert not cache.exists()


def test_changed_source_is_traced_again(cache, monkeypatch):
    before = kept_traces._path("program", "key")
    assert kept_traces._path("program", "key") == before
    assert kept_traces._path("program", "other") != before
    monkeypatch.setattr(kept_traces, "_made_of", lambda: "another source")
    assert kept_traces._path("program", "key") != before


@pytest.mark.parametrize("package", ["jax", "jaxlib", "brax", "mujoco", "mujoco-mjx", "flax"])
def test_another_version_of_what_a_trace_calls_is_another_program(package, monkeypatch):
    before = kept_traces._made_of.__wrapped__()
    version = importlib.metadata.version
    monkeypatch.setattr(
        kept_traces.importlib.metadata,
        "version",
        lambda name: "0.0.1" if name == package else version(name),
    )
    assert kept_traces._made_of.__wrapped__() != before


def test_every_file_of_the_source_counts(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "runtime").mkdir(parents=True)
    (package / "simulation").mkdir()
    other = package / "simulation" / "robots.py"
    other.write_text("HEIGHT = 1")
    monkeypatch.setattr(kept_traces, "__file__", str(package / "runtime" / "kept_traces.py"))
    before = kept_traces._made_of.__wrapped__()
    assert kept_traces._made_of.__wrapped__() == before
    other.write_text("HEIGHT = 2")
    assert kept_traces._made_of.__wrapped__() != before


@pytest.mark.parametrize(
    ("setting", "value"),
    [("jax_default_matmul_precision", "highest"), ("jax_threefry_partitionable", False)],
)
def test_another_setting_of_jax_is_another_program(cache, setting, value):
    before, usual = kept_traces._path("program", "key"), getattr(jax.config, setting)
    jax.config.update(setting, value)
    try:
        assert kept_traces._path("program", "key") != before
    finally:
        jax.config.update(setting, usual)


def test_shapes_and_numbers_of_any_kind_have_programs_of_their_own(cache):
    traced = []

    @kept_traces.kept_program(("factor",), lambda *a, **k: True)
    def program(x, *, factor):
        traced.append(x.dtype)
        return map_over_devices(lambda one: one * factor, x)

    def first(x, factor):
        return jax.device_get(program(x, factor=factor))[:2].tolist()

    assert first(jnp.arange(2.0), 2) == [0, 2]
    assert first(jnp.arange(3.0), 2) == [0, 2]
    assert first(np.arange(2, dtype=np.int32), 2) == [0, 2]
    assert first(jnp.arange(2.0), 3) == [0, 3]
    assert len(traced) == 4
    assert first(jnp.arange(2.0) + 1, 3) == [3, 6]
    assert len(traced) == 4


def test_what_cannot_be_lowered_for_another_process_is_traced(cache, monkeypatch):
    def cannot(program):
        raise ValueError("a call without guarantees")

    @kept_traces.kept_program((), lambda *a, **k: True)
    def program(x):
        return map_over_devices(lambda one: one + 1, x)

    monkeypatch.setattr(kept_traces.export, "export", lambda program: cannot)
    assert jax.device_get(program(jnp.arange(2.0)))[:2].tolist() == [1, 2]
    assert not cache.exists()


def test_policies_that_differ_in_the_limit_of_their_mean_have_programs_of_their_own():
    from mirrorpo.simulation.policy import new_policy

    zeros = np.zeros(2, np.float32)
    one, other = (
        str(jax.tree.structure(new_policy(jax.random.key(0), 1, zeros, zeros, (2,), mean_limit=x)))
        for x in (1.0, None)
    )
    assert one != other


def test_rollouts_of_users_robots_and_policies_are_not_kept():
    from mirrorpo.simulation import evaluation, tasks
    from mirrorpo.simulation.policy import new_policy
    from tests import light_ant

    zeros = np.zeros(27, np.float32)
    gaussian = new_policy(jax.random.key(0), 8, zeros, zeros + 1, hidden=(2,))
    discrete = new_policy(jax.random.key(0), 1, zeros, zeros + 1, hidden=(2,), choices=3)
    ant = tasks.load("ant")
    assert evaluation._may_keep(gaussian, task=ant)
    assert not evaluation._may_keep(discrete, task=ant)
    with light_ant.in_place_of_ant():
        assert not evaluation._may_keep(gaussian, task=tasks.load("ant"))
