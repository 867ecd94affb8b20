"""What is made whole, a file or a folder, has one maker at a time."""

import contextlib
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from mirrorpo import array_files, files, locks, runs
from mirrorpo.cli import main
from tests.preferences.own.recordings import episodes, write_npz

RESULTS = Path(__file__).parents[2] / "results"
fcntl = pytest.importorskip("fcntl")

OWNER = {"pid": 77, "host": "elsewhere", "command": "mirrorpo x", "since": "today"}


@contextlib.contextmanager
def held(path):
    """Another maker: its lock, as another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.parent / f".{path.name}{locks.NAME}"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, json.dumps(OWNER).encode())
    yield
    lock.unlink()
    os.close(descriptor)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What commands read: a pool, and preference pairs."""
    folder = tmp_path_factory.mktemp("given")
    steps = write_npz(folder / "steps.npz", episodes())
    pool = str(folder / "pool.safetensors")
    main(["data", "import", str(steps), "--sources", "policy", "--name", "mine", "--out", pool])
    rows = [{"prompt": f"p{i}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(60)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["data", "generate", "hopper"], "new.safetensors"),
        (["data", "import", "steps.npz", "--sources", "policy"], "new.safetensors"),
        (["data", "label", "pool.safetensors"], "new.safetensors"),
        (["data", "export", "pool.safetensors"], "new.npz"),
        (["agents", "calibrate", "tla-target", "--task", "tla", "--target", "0"], "new"),
        (["agents", "limbs", "tla-target", "--task", "tla"], "new.png"),
        (["agents", "render", "hopper-bad"], "new.gif"),
        (["submit", "slic"], "new"),
        (["recommend", "pairs.jsonl"], "new.json"),
        (["report", str(RESULTS / "hopper-table6")], "new.md"),
    ],
)
def test_a_second_command_is_refused_in_one_line(words, name, given, tmp_path, monkeypatch, capsys):
    out = tmp_path / "in" / name
    monkeypatch.chdir(given)
    with held(out):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--out", str(out)])
        assert [path.name for path in out.parent.iterdir()] == [f".{name}{locks.NAME}"]
    error = capsys.readouterr().err
    said = [line for line in error.splitlines() if line.startswith("mirrorpo: ")]
    assert stop.value.code == 2
    assert len(said) == 1
    assert f"{out} is in use by process 77 on elsewhere (mirrorpo x), since today" in said[0]


def test_a_lock_beside_goes_with_its_command_and_so_do_the_folders_made_for_it(tmp_path):
    with runs.holding():
        runs.claim_file(tmp_path / "a" / "b" / "file.json")
        runs.claim_file(tmp_path / "c" / "file.json")
        assert (tmp_path / "a" / "b" / f".file.json{locks.NAME}").is_file()
        (tmp_path / "c" / "file.json").write_text("made")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["c", "file.json"]


def test_a_file_that_the_last_holder_made_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    path, hold = tmp_path / "file.json", locks.hold_beside

    def hold_late(out):
        out.write_text("another's")
        hold(out)

    monkeypatch.setattr(locks, "hold_beside", hold_late)
    with pytest.raises(ValueError, match="exists already"), runs.holding():
        runs.claim_file(path)
    assert path.read_text() == "another's"


def test_two_threads_do_not_make_one_file(tmp_path):
    refused = []

    @runs.holding()
    def second():
        try:
            runs.claim_file(tmp_path / "file.json")
        except ValueError as error:
            refused.append(str(error))

    with runs.holding():
        runs.claim_file(tmp_path / "file.json")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "another thread of this process" in refused[0]


def test_what_a_killed_maker_has_left_is_removed_and_nothing_of_others(tmp_path):
    for name in (".new[1].json.ab.part", ".new1.json.ab.part", ".new[1].safetensors.ab.part"):
        (tmp_path / name).mkdir()
    with runs.holding():
        runs.claim_file(tmp_path / "new[1].safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [".new1.json.ab.part"]


def test_a_new_file_is_never_without_its_card(tmp_path, monkeypatch):
    """Else a kill between the two would leave a file that the same command does not overwrite."""
    path, replace, seen = tmp_path / "new.safetensors", os.replace, []

    def watched(one, other):
        replace(one, other)
        seen.append((path.is_file(), path.with_suffix(".json").is_file()))

    monkeypatch.setattr(os, "replace", watched)
    card = {"format": "test"}
    files.write_with_card(
        path, lambda to: array_files.save_arrays(to, {"a": np.ones(3)}, card), card
    )
    files.check_card(path, "a test")
    assert seen[-1] == (True, True)
    assert (True, False) not in seen
