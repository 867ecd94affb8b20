"""Disks that are full or read-only, and users who may not write, for real and not in their place.

Each command runs in a mount namespace of its own, with a small disk in memory: nothing is mounted
for others, and nothing is left behind.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOUND_BY_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""Begins a command of root's which may no longer do what the rights of a file forbid."""
FULL = "head -c 200000 /dev/zero > $DISK/fill 2> /dev/null; "
READ_ONLY = "mount -o remount,ro $DISK; "
GENERATE = "$PYTHON -m mirrorpo data generate hopper --out "
WRITE = """
import sys
from pathlib import Path
from mirrorpo import files, json_lines, runs
from mirrorpo.cli import edge

out = Path(sys.argv[1])
for write in (
    lambda: files.write_json(out / "results.json", ["x" * 100_000]),
    lambda: json_lines.append(out / "metrics.jsonl", {"x": "x" * 100_000}),
):
    try:
        with edge.guarded():
            runs.claim(out, {"a": 1})
            write()
    except SystemExit as stop:
        print(stop.code, *sorted(path.name for path in out.rglob("*")))
"""


def namespace():
    """The command that gives a process mounts of its own; None where the system has none."""
    if shutil.which("unshare") is None:
        return None
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    tried = [*own, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return own if subprocess.run(tried, capture_output=True).returncode == 0 else None


@pytest.fixture(scope="module")
def own():
    found = namespace()
    if found is None:
        pytest.skip("This system lets nobody mount a disk of their own.")
    return found


@pytest.fixture
def run(own, tmp_path):
    """Run a shell's script, in which $DISK is an empty disk of 64 kB."""
    (tmp_path / "disk").mkdir()

    def on_the_disk(script, **variables):
        return subprocess.run(
            [*own, "sh", "-c", "mount -t tmpfs -o size=64k tmpfs $DISK && " + script],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "DISK": str(tmp_path / "disk"),
                "PYTHON": sys.executable,
                "MIRRORPO_CACHE": str(tmp_path / "cache"),
                **variables,
            },
        )

    return on_the_disk


def one_line(found):
    assert found.returncode == 2, found.stderr
    assert found.stderr.startswith("mirrorpo: ")
    assert found.stderr.count("\n") == 1
    return found.stderr


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (FULL + GENERATE + "$DISK/x.safetensors", "disk is full. Name another place."),
        (READ_ONLY + GENERATE + "$DISK/x.safetensors", "--out {disk}/x.safetensors: nothing can"),
        (READ_ONLY + GENERATE + "$DISK/a/b/x.safetensors", "nothing can be written in {disk} "),
        (
            READ_ONLY + "export MIRRORPO_CACHE=$DISK/cache; " + GENERATE + "x.safetensors",
            "The cache {disk}/cache: nothing can be written in {disk} (read-only, or not yours).",
        ),
        (
            READ_ONLY + "unset MIRRORPO_CACHE XDG_CACHE_HOME; HOME=$DISK/home " + GENERATE + "x."
            "safetensors",
            "The cache {disk}/home/.cache/mirrorpo: nothing can be written in {disk} ",
        ),
        (
            FULL + "unset MIRRORPO_CACHE XDG_CACHE_HOME; HOME=$DISK " + GENERATE + "x.safetensors",
            "disk is full. Name another place. MIRRORPO_CACHE names the cache.",
        ),
    ],
    ids=["full", "read-only", "read-only-below", "cache", "home", "full-home"],
)
def test_a_place_that_cannot_be_written_is_found_before_anything_is_simulated(
    script, message, run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    line = one_line(run(script))
    assert message.format(disk=tmp_path / "disk") in line
    assert {path.name for path in tmp_path.iterdir()} == {"disk"}


def test_a_disk_that_fills_while_a_run_is_written_is_named_and_leaves_no_half_file(run):
    found = run('$PYTHON -c "$PROGRAM" $DISK/run', PROGRAM=WRITE)
    said = found.stderr.splitlines()
    assert len(said) == 2
    for line, name in zip(said, ("results.json", "metrics.jsonl"), strict=True):
        assert f"/disk/run/{name}: No space left on device. Free some space, and run" in line
    # A file is whole or not there; of a log there may be a beginning, which is mended.
    assert found.stdout == "2\n2 config.json metrics.jsonl\n"


def test_a_user_who_may_not_write_is_told_so(tmp_path):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o555)
    bound = BOUND_BY_RIGHTS if os.geteuid() == 0 else []
    source = Path(__file__).parents[2] / "src"
    generate = ("data", "generate", "hopper", "--out", "x.safetensors")
    found = subprocess.run(
        [*bound, sys.executable, "-m", "mirrorpo", *generate],
        cwd=tmp_path / "closed",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(source), "HOME": "/nonexistent"},
    )
    assert "nothing can be written in" in one_line(found)
    assert not [*(tmp_path / "closed").iterdir()]
