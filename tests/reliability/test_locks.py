"""A run folder has one writer; its lock ends with the process that holds it, however it dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from mirrorpo import locks, runs
from mirrorpo.cli import main

HOLD = (
    "import sys, time, pathlib\n"
    "from mirrorpo import runs\n"
    "runs.claim(pathlib.Path(sys.argv[1]), {'seed': 1})\n"
    "print('held', flush=True)\n"
    "time.sleep(600)\n"
)


@pytest.fixture
def other(tmp_path):
    """Another process that has claimed a folder; the folder and the process."""
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield out, process
    process.kill()
    process.wait()


def test_the_second_process_is_told_who_holds_the_folder(other):
    out, process = other
    with (
        pytest.raises(ValueError, match=f"in use by process {process.pid} on ") as refusal,
        runs.holding(),
    ):
        runs.claim(out, {"seed": 1})
    assert socket.gethostname() in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_second_command_on_the_folder_is_one_line_and_computes_nothing(other, capsys):
    out, process = other
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--out", str(out)])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith(f"mirrorpo: {out} is in use by process {process.pid} on ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_dead_holder_holds_nothing(other, how):
    out, process = other
    process.send_signal(how)
    process.wait()
    with runs.holding():
        runs.claim(out, {"seed": 1})
        owner = json.loads((out / locks.NAME).read_text())
        assert owner["pid"] == os.getpid()
    assert not (out / locks.NAME).exists()


def test_a_folder_is_free_after_an_error(tmp_path):
    @runs.holding()
    def fail():
        runs.claim(tmp_path / "run", {"seed": 1})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in (tmp_path / "run").iterdir()] == [runs.CONFIG]
    with runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})


def test_the_outermost_command_keeps_its_folder_until_its_end(tmp_path):
    @runs.holding()
    def inner():
        runs.claim(tmp_path / "run", {"seed": 1})

    with runs.holding():
        inner()
        inner()
        assert (tmp_path / "run" / locks.NAME).exists()
    assert not (tmp_path / "run" / locks.NAME).exists()


def test_two_threads_of_one_process_do_not_share_a_folder(tmp_path):
    refused = []

    @runs.holding()
    def second():
        try:
            runs.claim(tmp_path / "run", {"seed": 1})
        except ValueError as error:
            refused.append(str(error))

    with runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "another thread of this process" in refused[0]


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    """Such as a loader's worker that outlives the process that it was forked from."""
    script = (
        "import os, pathlib, sys, time\n"
        "from mirrorpo import runs\n"
        "runs.claim(pathlib.Path(sys.argv[1]), {'seed': 1})\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.close(1); time.sleep(600)\n"
        "print(child, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", script, str(out)], stdout=subprocess.PIPE, text=True, check=False
    )
    child = int(done.stdout)
    try:
        os.kill(child, 0)
        with runs.holding():
            runs.claim(out, {"seed": 1})
    finally:
        os.kill(child, signal.SIGKILL)


def test_other_peoples_folders_get_no_lock(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="nothing is overwritten"), runs.holding():
        runs.claim(tmp_path, {"seed": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_folders_place_is_one_line(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ValueError, match="is a file"), runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})


@pytest.fixture
def without_flock(monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(locks.errno.ENOSYS, "not here")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.mark.usefixtures("without_flock")
def test_without_flock_a_file_that_one_process_can_create_is_the_lock(tmp_path):
    with runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})
        assert (tmp_path / "run" / locks.FALLBACK_NAME).exists()
    assert [path.name for path in (tmp_path / "run").iterdir()] == [runs.CONFIG]
    lock = tmp_path / "run" / locks.FALLBACK_NAME
    owner = {"pid": os.getppid(), "host": socket.gethostname(), "since": "today"}
    lock.write_text(json.dumps(owner))
    with pytest.raises(ValueError, match=f"process {os.getppid()} on"), runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})
    lock.write_text(json.dumps({**owner, "pid": dead_process()}))
    with runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})
    # Of another machine nothing is known.
    lock.write_text(json.dumps({**owner, "pid": dead_process(), "host": "elsewhere"}))
    with pytest.raises(ValueError, match="on elsewhere"), runs.holding():
        runs.claim(tmp_path / "run", {"seed": 1})


def test_who_wants_what_another_process_makes_waits_for_it(tmp_path):
    script = (
        "import pathlib, sys, time\n"
        "from mirrorpo import locks\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "with locks.alone(path, print):\n"
        "    print('held', flush=True); time.sleep(1); path.write_text('made')\n"
    )
    path = tmp_path / "pool"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    told = []
    with locks.alone(path, told.append):
        assert path.read_text() == "made"
    assert process.wait() == 0
    assert f"process {process.pid} on" in told[0]
    assert [found.name for found in tmp_path.iterdir()] == ["pool"]
