"""A command that is told to stop does stop: soon, with one line, and with everything kept."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import product

import pytest

from mirrorpo.cli import signals

WITHIN = """
import sys, time
from mirrorpo.cli import edge
with edge.guarded():
    print("ready", flush=True)
    {body}
print("not stopped")
"""
SLEEP = "time.sleep(60)"
SWALLOWED_ONCE = """
    import gc
    def callback(phase, info):
        gc.callbacks.clear()
        time.sleep(60)
    gc.callbacks.append(callback)
    gc.collect()
    time.sleep(60)
"""
SWALLOWED = """
    import gc
    def callback(phase, info):
        time.sleep(0.2)
    gc.callbacks.append(callback)
    for _ in range(300):
        gc.collect()
"""
FINALISER = """
    class Slow:
        def __del__(self):
            time.sleep(0.2)
    for _ in range(300):
        Slow()
"""
# One call of compiled code that looks at no signal, as a compiled program does.
COMPILED = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'a', b'b', 200_000_000)"


def started(body):
    process = subprocess.Popen(
        [sys.executable, "-c", WITHIN.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    return process


@pytest.mark.parametrize(
    ("number", "body"),
    [
        *product(
            (signal.SIGINT, signal.SIGTERM),
            (SLEEP, SWALLOWED_ONCE, SWALLOWED, FINALISER, COMPILED),
        ),
        # The same way as SIGTERM.
        (signal.SIGHUP, SLEEP),
    ],
)
def test_a_signal_ends_a_command_soon_with_one_line(number, body):
    process = started(body)
    began = time.monotonic()
    process.send_signal(number)
    said, error = process.communicate(timeout=60)
    assert time.monotonic() - began < 10, "seconds, on a machine of any load"
    assert process.returncode == 128 + number
    assert error == f"mirrorpo: {signals.explain(number)}\n"
    assert "not stopped" not in said


def test_a_signal_that_is_ignored_stays_ignored():
    body = "time.sleep(1)"
    process = subprocess.Popen(
        ["nohup", sys.executable, "-c", WITHIN.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60)[0] == "not stopped\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_stop_its_parent():
    body = """
    import os, signal
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    time.sleep(2.5)
"""
    process = started(body)
    said, error = process.communicate(timeout=60)
    assert (said, error, process.returncode) == ("not stopped\n", "", 0)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    hook = sys.unraisablehook
    with signals.as_interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert sys.unraisablehook is hook


@pytest.mark.parametrize(
    "number",
    # SIGTERM goes the same way: the short bodies above are told both.
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
)
def test_a_judge_is_stopped_among_calls_that_hang_and_keeps_its_answers(number, tmp_path):
    pytest.importorskip("alpaca_eval")
    from tests.language import judge_server

    for name, word in (("a", "long long"), ("b", "short")):
        rows = [{"instruction": f"Q{n}?", "output": word, "generator": name} for n in range(20)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    with judge_server.serve() as server:
        (tmp_path / "judge.yaml").write_text(
            f"model: longer\nendpoint: {server.address}\nworkers: 4\ntimeout: 600\n"
        )
        server.silent_after = 6
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mirrorpo", "judge", str(tmp_path / "a.json")),
                *("--baseline", str(tmp_path / "b.json"), "--judge", str(tmp_path / "judge.yaml")),
                *("--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")),
            ],
            stderr=subprocess.PIPE,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            text=True,
        )
        deadline = time.monotonic() + 240
        while server.tries < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(number)
        error = process.communicate(timeout=60)[1]
        taken = time.monotonic() - began
    assert process.returncode == 128 + number
    assert error.splitlines()[-1] == f"mirrorpo: {signals.explain(number)}"
    assert taken < 10, "seconds, on a machine of any load; the calls have ten minutes"
    (store,) = (tmp_path / "cache").glob("*.jsonl")
    assert len(store.read_text().splitlines()) == 6
