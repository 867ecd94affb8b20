"""`import mirrorpo` is light, and every name of the front door is there."""

import re
import subprocess
import sys

import pytest

import mirrorpo as mpo

HEAVY = (
    *("jax", "torch", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "brax", "mujoco"),
    *("tyro", "rich", "ray", "transformers", "trl"),
)
FUNCTIONS = (
    *("objective", "bench", "discover", "explain", "train", "align", "judge", "report"),
    *("recommend", "submit", "verify", "generate", "import_data", "label", "evaluate"),
    *(
        "list_agents",
        "list_objectives",
        "train_agent",
        "pick_agent",
        "calibrate",
        "limbs",
        "render",
    ),
)


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_import_is_light():
    code = f"import sys, mirrorpo; print(*[name for name in {HEAVY} if name in sys.modules])"
    assert fresh(code) == []


def test_every_public_name_resolves_in_any_order_and_stays_what_it_is():
    code = """
import mirrorpo as mpo
for turn in (sorted(mpo.__all__), sorted(mpo.__all__, reverse=True)):
    for name in turn:
        found = getattr(mpo, name)
        print(name, type(found).__name__)
import mirrorpo.reporting.page.reading, mirrorpo.advising.advice, mirrorpo.cli
print("report", type(mpo.report).__name__)
print("recommend", type(mpo.recommend).__name__)
"""
    words = fresh(code)
    kinds = {}
    for name, kind in zip(words[::2], words[1::2], strict=True):
        assert kinds.setdefault(name, kind) == kind, name
    assert {name for name, kind in kinds.items() if kind == "module"} == {"objectives", "tasks"}
    assert {name for name, kind in kinds.items() if kind == "function"} == set(FUNCTIONS)


def test_the_command_line_imports_what_a_command_needs_when_it_runs():
    own = {"tyro", "rich"}
    names = [*(set(HEAVY) - own), "safetensors", "mirrorpo.objectives"]
    code = f"import sys, mirrorpo.cli; print(*[name for name in {names} if name in sys.modules])"
    assert fresh(code) == []


def test_what_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'benhc'"):
        _ = mpo.benhc
    assert set(mpo.__all__) <= set(dir(mpo))
    assert re.match(r"\d+\.\d+\.\d+", mpo.__version__)


def test_jax_is_started_by_the_library_with_a_device_for_each_core():
    code = """
import os
os.environ.pop("JAX_NUM_CPU_DEVICES", None)
os.environ["XLA_FLAGS"] = ""
import mirrorpo as mpo
mpo.explain("cpo", max_terms=1)
import jax
from mirrorpo.runtime.devices import available_cores
print(jax.local_device_count(), available_cores())
"""
    devices, cores = fresh(code)
    assert devices == cores


def test_jax_that_the_caller_has_started_stays_as_it_is():
    code = """
import os
os.environ.pop("JAX_NUM_CPU_DEVICES", None)
os.environ["XLA_FLAGS"] = ""
import jax
before = jax.devices()
import mirrorpo as mpo
found = mpo.explain("cpo", max_terms=1)
assert jax.devices() == before
print(len(before))
"""
    assert fresh(code) == ["1"]
