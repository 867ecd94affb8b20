"""The campaign in short; whole with ``-m slow``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability import damaged
from tests.reliability.tally import Tally

ROOT = Path(__file__).parents[2]


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.campaign", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_damaged_files_of_every_kind_end_in_one_line(tmp_path):
    for kind in damaged.kinds(tmp_path / "files", language=False):
        found = damaged.damage(kind, 6, seed=1)
        assert found.wrong == [], kind.name
        assert found.files >= 4, kind.name
        assert found.refused + found.left_out, kind.name


def test_a_loader_that_hides_or_breaks_is_found_out(tmp_path):
    """The check itself can fail."""
    path = tmp_path / "file.json"
    path.write_text('{"a": [1, 2, 3]}')

    def breaks():
        return path.read_bytes()[3]

    def is_anonymous():
        if path.read_bytes() != b'{"a": [1, 2, 3]}':
            raise ValueError("something is wrong")

    assert any("IndexError" in line for line in damaged.damage(kind(path, breaks), 12, 0).wrong)
    assert any(
        "name the file" in line for line in damaged.damage(kind(path, is_anonymous), 6, 0).wrong
    )
    assert any(
        "not seen" in line for line in damaged.damage(kind(path, path.read_bytes), 6, 0).wrong
    )


def kind(path, read):
    return damaged.Kind("a file", path, read, checked=True)


EARNED = """
import sys
from pathlib import Path
from mirrorpo.agents import agent_files
from mirrorpo.simulation import tasks
from tests.reliability import commands, point
point.stand_in_for_hopper()
given = Path(sys.argv[1])
commands.prepare_robots(given)
for name in ("better", "worse"):
    policy, _ = agent_files.load(given / f"{name}.safetensors")
    print(agent_files.evaluate(policy, tasks.load("hopper"), 20, 0, deterministic=True)[0])
"""


def test_the_better_of_the_agents_is_better_at_the_point(tmp_path):
    """Else a search for objectives refuses them, and none of it is killed."""
    # In a process of its own: what it knows of hopper afterwards is the point.
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", EARNED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    better, worse = map(float, done.stdout.split()[-2:])  # brax prints, too
    assert better > worse + 10


def test_a_killed_command_ends_bit_equal():
    parts = ("--states", "0", "--files", "0", "--inputs", "0", "--only", "data-generate")
    said = run("--kills", "2", *parts)
    assert "kills, data generate: 2 kills" in said
    assert "All held" in said


@pytest.mark.slow
def test_hostile_inputs_end_well_or_in_one_line():
    pytest.importorskip("trl")
    pytest.importorskip("vaderSentiment")
    assert "All held" in run("--kills", "0", "--states", "0", "--files", "0")


def test_a_tally_adds_up_and_goes_on(tmp_path):
    path = tmp_path / "tally.jsonl"
    for number in range(2):
        Tally(path).add("inputs", "x", {"inputs": 1, "number": number, "wrong": ["bad"] * number})
    found = Tally(path)
    assert found.sum("inputs", "x", "inputs") == found.rows == 2
    assert found.values("inputs", "x", "number") == {0, 1}
    assert found.wrong == ["bad"]
    assert "inputs, all: 2 inputs, 1 wrong" in found.table()


@pytest.mark.slow
def test_every_command_ends_bit_equal_after_kills_and_no_damage_goes_wrong():
    pytest.importorskip("trl")
    pytest.importorskip("vaderSentiment")
    assert "All held" in run("--kills", "200", "--states", "400", "--files", "2000")
