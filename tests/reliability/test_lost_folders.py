"""A run whose folder is taken away stops at its next file, and makes no half of it again."""

import shutil

import pytest

from mirrorpo import files, json_lines, locks, runs

WRITES = {
    "json": lambda out: files.write_json(out / "results.json", {}),
    "log": lambda out: json_lines.append(out / "metrics.jsonl", {"seed": 1}),
    "folder": lambda out: files.write_folder_atomically(out / "agents" / "one", lambda part: None),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_removed_folder_stops_its_run_and_is_not_made_again(write, tmp_path):
    out = tmp_path / "run"
    with runs.holding():
        runs.claim(out, {"seed": 1})
        write(out)
        shutil.rmtree(out)
        with pytest.raises(ValueError, match="run was removed while") as refusal:
            write(out)
    assert "\n" not in str(refusal.value)
    assert not out.exists()


def test_a_lock_removed_by_hand_stops_nothing(tmp_path):
    out = tmp_path / "run"
    with runs.holding():
        runs.claim(out, {"seed": 1})
        (out / locks.NAME).unlink()
        WRITES["log"](out)


def test_after_its_end_a_run_guards_nothing(tmp_path):
    out = tmp_path / "run"
    with runs.holding():
        runs.claim(out, {"seed": 1})
        with locks.alone(out / "one", lambda who: None):
            pass
        assert out.resolve() in files._guarded
    assert out.resolve() not in files._guarded
    shutil.rmtree(out)
    WRITES["json"](out)


def test_a_run_that_failed_before_its_start_may_be_begun_again(tmp_path):
    out = tmp_path / "run"
    with runs.holding():
        runs.claim(out, {"seed": 1})
        runs.forget_unstarted()
        assert not out.exists()
        runs.claim(out, {"seed": 1})
        WRITES["log"](out)
    assert (out / "metrics.jsonl").is_file()
