"""Files are whole or not there, on disk before they count, and readable by whom the user lets."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mirrorpo import array_files, files, json_lines, objectives, typed
from mirrorpo.study.records import AgentRecord

HERE = Path(__file__).parent


@pytest.mark.parametrize("operation", ["claim", "grow", "pair", "new pair", "folder", "log"])
def test_killed_before_every_change_of_a_file_the_next_run_ends_well(operation, tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "crash_points.py"), operation, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == [], done.stderr
    assert found["moments"] >= 8


WRITERS = {
    "text": lambda path: files.write_text(path, "text"),
    "json": lambda path: files.write_json(path, [1]),
    "lines": lambda path: json_lines.write(path, [{"a": 1}]),
    "arrays": lambda path: array_files.save_arrays(path, {"a": np.ones(3)}, {"format": "x"}),
    "objective": lambda path: objectives.save(objectives.get("dpo"), path),
    "table": lambda path: files.write_atomically(path, pd.DataFrame({"a": [1]}).to_parquet),
    "figure": lambda path: files.write_atomically(
        path, lambda part: plt.figure().savefig(part, format="png")
    ),
}


@pytest.fixture
def calls(monkeypatch):
    """What is synced and renamed, in order: ("sync", inode) and ("rename", path)."""
    made = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (made.append(("sync", os.fstat(fd).st_ino)), fsync(fd))[1]
    )
    monkeypatch.setattr(
        os, "replace", lambda a, b: (made.append(("rename", Path(b))), replace(a, b))[1]
    )
    return made


@pytest.mark.parametrize("name", WRITERS)
def test_content_is_synced_before_a_file_gets_its_name_and_the_folder_after(name, tmp_path, calls):
    path = tmp_path / "new" / "file"
    WRITERS[name](path)
    renamed = calls.index(("rename", path))
    assert ("sync", path.stat().st_ino) in calls[:renamed]
    assert ("sync", path.parent.stat().st_ino) in calls[renamed:]
    # The name of the folder, which is new, is on disk too.
    assert ("sync", tmp_path.stat().st_ino) in calls


def test_what_is_appended_is_synced_and_a_new_logs_folder_too(tmp_path, calls):
    path = tmp_path / "log.jsonl"
    json_lines.append(path, {"a": 1})
    assert calls == [("sync", path.stat().st_ino), ("sync", tmp_path.stat().st_ino)]
    calls.clear()
    json_lines.append(path, {"a": 2})
    assert calls == [("sync", path.stat().st_ino)]


def test_all_files_of_a_folder_are_synced_before_it_gets_its_name(tmp_path, calls):
    def write(folder):
        (folder / "in").mkdir()
        (folder / "in" / "file").write_text("x")

    files.write_folder_atomically(tmp_path / "new", write)
    renamed = calls.index(("rename", tmp_path / "new"))
    inner = {(tmp_path / "new" / name).stat().st_ino for name in ("", "in", "in/file")}
    assert inner <= {what for kind, what in calls[:renamed] if kind == "sync"}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027, 0o002])
@pytest.mark.parametrize("name", WRITERS)
def test_files_have_the_permissions_that_the_umask_leaves(name, mask, tmp_path):
    path = tmp_path / "file"
    before = os.umask(mask)
    try:
        WRITERS[name](path)
        json_lines.append(tmp_path / "log", {"a": 1})
    finally:
        os.umask(before)
    for made in (path, tmp_path / "log"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "old")

    def fail(part):
        part.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_leftovers_of_version_0_1_0_are_removed_too(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".config.json.ab12.part").write_text("{")
    (tmp_path / ".keep").write_text("mine")
    files.remove_leftovers(tmp_path)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == [".keep", "in"]


def test_arrays_that_changed_on_disk_are_refused(tmp_path):
    path = tmp_path / "arrays.safetensors"
    array_files.save_arrays(path, {"a": np.arange(100.0)}, {"format": "x", "note": "y"})
    whole = path.read_bytes()
    for place in (-1, -400, whole.index(b'\\"y\\"') + 2):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="does not match its own checksum"):
            array_files.load_arrays(path, "arrays")


def test_an_objective_is_not_loaded_beside_another_ones_card(tmp_path):
    path = tmp_path / "mine.safetensors"
    objectives.save(objectives.get("dpo"), path)
    assert objectives.load(path) == objectives.get("dpo")
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({"sha256": files.checksum(path)}))
    assert objectives.load(path) == objectives.get("dpo")
    beside.write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(ValueError, match="does not match the checksum on its card"):
        objectives.load(path)
    beside.write_text("[]")
    with pytest.raises(ValueError, match="holds no JSON object"):
        objectives.load(path)


RECORD = {
    "task": "t",
    "variant": "base",
    "algorithm": "dpo",
    "phase": "final",
    "hyperparameters": "{}",
    "seed": 0,
    "return_mean": None,
    "return_standard_error": 1,
    "episodes": 2,
    "diverged": True,
    "train_seconds": 0,
    "evaluate_seconds": 0.5,
}


def test_a_record_is_built_of_the_right_types_alone():
    assert typed.build(AgentRecord, RECORD).return_mean is None
    for change, message in (
        ({"seed": 1.5}, "seed is 1.5, but must be a whole number"),
        ({"seed": True}, "seed is True"),
        ({"return_mean": "1"}, "return_mean is '1', but must be a number or null"),
        ({"diverged": 0}, "diverged is 0, but must be true or false"),
        ({"measures": {"kl": []}}, r"measures.kl is \[\], but must be a number"),
        ({"task": None}, "task is None, but must be a text"),
        ({"colour": "red"}, "unknown colour"),
    ):
        with pytest.raises(ValueError, match=message):
            typed.build(AgentRecord, {**RECORD, **change})
    with pytest.raises(ValueError, match="no seed"):
        typed.build(AgentRecord, {k: v for k, v in RECORD.items() if k != "seed"})
    with pytest.raises(ValueError, match="expected an object"):
        typed.build(AgentRecord, None)
