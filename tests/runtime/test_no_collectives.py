"""No compiled program lets CPU devices wait for each other: XLA ends a process in which one waits
longer than 40 s, as it may beside other work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from mirrorpo.runtime.devices import gathered, map_over_devices

ROOT = Path(__file__).parents[2]
COLLECTIVE = re.compile(
    r" (all-reduce|all-gather|all-to-all|reduce-scatter|collective-[a-z]+)(-start)?\("
)
AGENTS = [
    *("agents", "train", "point", "--total-steps", "1024", "--environments", "64"),
    *("--rollout-steps", "4", "--minibatches", "4", "--epochs", "1", "--evaluate-every", "512"),
]
BENCH = [
    *(
        "bench",
        "--task",
        "point",
        "--variants",
        "base",
        "--algorithms",
        "dpo,slic-filtered",
        "--seeds",
    ),
    *("3", "--rows", "40", "--epochs", "2", "--minibatch", "20", "--time-steps", "8"),
    *("--episodes", "3", "--curve-episodes", "3", "--allow-short", "--keep-agents"),
]
DISCOVER = [
    *("discover", "--task", "point", "--variants", "base", "--learn", "link", "--generations", "1"),
    *("--population", "2", "--rows", "40", "--minibatch", "20", "--epochs", "2", "--time-steps"),
    *("8", "--episodes", "3", "--validation-rows", "40", "--validation-time-steps", "8"),
    *("--validation-episodes", "3", "--validation-seeds", "1"),
]
PROGRAM = """
import sys
from pathlib import Path
from tests import point_task
from mirrorpo.cli import main
words = sys.argv[1:]
if words[0] != "agents":
    better, worse = point_task.write_agents(Path.cwd())
    words += ["--better", str(better), "--worse", str(worse)]
main(words)
"""


def collectives(text):
    return [found[1] for found in COLLECTIVE.finditer(text)]


def compiled(function, *given):
    return jax.jit(function).lower(*given).compile().as_text()


def test_a_map_over_devices_whose_items_do_not_divide_gathers_nothing_itself():
    assert jax.local_device_count() > 1

    def one(item, shared):
        return jax.lax.fori_loop(0, 3, lambda _, x: x * shared, item), item > 1

    items = jnp.arange(3.0)
    assert collectives(compiled(lambda x: map_over_devices(one, x, 2.0), items)) == []
    done = gathered(jax.jit(lambda x: map_over_devices(one, x, 2.0))(items), 3)
    assert done[0].tolist() == [0.0, 8.0, 16.0]
    assert done[1].tolist() == [False, False, True]
    # The check itself can fail: whatever moves rows between devices inside a program is seen.
    inside = compiled(lambda x: map_over_devices(one, x, 2.0)[0][:3], items)
    assert collectives(inside) != []


def programs(folder, words):
    """All that a command compiles for several devices: name and text."""
    given = {
        **os.environ,
        "XLA_FLAGS": f"--xla_dump_to={folder / 'dump'} --xla_dump_hlo_as_text",
        "MIRRORPO_CACHE": str(folder / "cache"),
        "JAX_NUM_CPU_DEVICES": "2",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words, "--out", str(folder / "run")],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {}
    for path in (folder / "dump").glob("*after_optimizations.txt"):
        text = path.read_text()
        if "num_partitions=2" in text:
            found.setdefault(path.name.split(".")[1], []).append(text)
    return found


def check(found, *expected):
    """Programs of these names are among those found, and none moves rows between devices."""
    assert {f"jit_{name}" for name in expected} <= set(found)
    moved = {name: collectives(text) for name, texts in found.items() for text in texts}
    assert {name: kinds for name, kinds in moved.items() if kinds} == {}


def test_no_program_of_ppo_lets_devices_wait_for_each_other(tmp_path):
    check(programs(tmp_path, AGENTS), "roll_out", "_roll_out", "new_robots")


@pytest.mark.slow
@pytest.mark.parametrize("words", [BENCH, DISCOVER], ids=lambda words: words[0])
def test_no_program_of_a_command_lets_devices_wait_for_each_other(words, tmp_path):
    check(programs(tmp_path, words), "_compiled_block", "_roll_out", "train_agents")
