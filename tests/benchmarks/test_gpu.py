"""Parts with limits: rows at once, failures named, the rest goes on, and a second run resumes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    return gpu


def python(code):
    return ("-c", f"import json, sys, time\n{code}")


@pytest.fixture
def parts(gpu, monkeypatch):
    """Set what is measured."""

    def use(*given):
        made = [
            gpu.Part(name, "training", "2 x 8, 2 agents", "mirrorpo", python(code), limit)
            for name, code, limit in given
        ]
        monkeypatch.setattr(gpu.gpu_parts, "parts", lambda small: made)

    return use


def rows(out):
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


GOOD = "print('hello'); print(json.dumps({'agent_steps_a_second': 5.0}))"
SLOW = (
    "import subprocess\n"
    "print(json.dumps({'agent_steps_a_second': 7.0}), flush=True)\n"
    "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
)
BAD = "print('half'); raise SystemExit('no memory')"


def test_a_lost_part_is_named_the_others_run_and_a_second_run_measures_it(
    gpu, parts, tmp_path, capsys
):
    parts(("slow", SLOW, 3), ("bad", BAD, 30), ("good", GOOD, 30))
    began = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        gpu.main(tmp_path)
    assert time.monotonic() - began < 50  # what the slow one has started is killed with it
    assert stopped.value.code == 2
    assert "Not measured: slow, bad" in capsys.readouterr().err
    found = [
        (row["part"], row["status"], row.get("agent_steps_a_second")) for row in rows(tmp_path)
    ]
    assert found == [
        ("slow", "measured", 7.0),  # was written before its time was over
        ("slow", "timed out", None),
        ("bad", "failed", None),
        ("good", "measured", 5.0),
        ("good", "measured", None),
    ]
    ends = {row["part"]: row for row in rows(tmp_path) if row["end"]}
    assert ends["slow"]["note"] == "killed after its 3 seconds"
    assert ends["bad"]["note"] == "code 1: no memory"
    assert ends["good"]["seconds_of_part"] > 0
    for name in ("versions", "machine", "command", "git_commit", "device"):
        assert all(name in row for row in rows(tmp_path))
    assert (tmp_path / "logs" / "good.txt").read_text() == "hello\n"

    parts(("slow", GOOD, 30), ("bad", GOOD, 30), ("good", BAD, 30))
    gpu.main(tmp_path)
    assert [row["part"] for row in rows(tmp_path)] == ["good"] * 2 + ["slow"] * 2 + ["bad"] * 2
    assert {row["status"] for row in rows(tmp_path)} == {"measured"}


def test_without_time_left_nothing_is_started(gpu, parts, tmp_path):
    parts(("good", GOOD, 30))
    with pytest.raises(SystemExit):
        gpu.main(tmp_path, minutes=0)
    assert [row["status"] for row in rows(tmp_path)] == ["not started"]


def test_what_is_not_installed_is_said_and_no_failure(gpu, parts, tmp_path):
    parts(("warp", "print(json.dumps({'note': 'MuJoCo Warp is not installed'}))", 30))
    gpu.main(tmp_path)
    assert rows(tmp_path)[0]["status"] == "not there"
    parts(("warp", GOOD, 30))
    gpu.main(tmp_path)
    assert rows(tmp_path)[0]["agent_steps_a_second"] == 5.0


def test_the_table_has_ratios_shares_and_failures(gpu, tmp_path):
    about = {"status": "measured", "end": False, "small": False, "git_commit": "c", "device": "H"}
    size = {"what": "training", "size": "2 x 64, 64 agents"}
    given = [
        {**about, "what": "float32 peak", "size": "9", "by": "", "gflops_a_second": 1000.0},
        {**about, **size, "by": "mirrorpo", "agent_steps_a_second": 600.0},
        {**about, **size, "by": "textbook-jax", "agent_steps_a_second": 300.0},
        {**about, **size, "by": "", "status": "timed out", "end": True, "note": "killed"},
        {**about, **size, "by": "end", "end": True, "seconds_of_part": 3.0},
    ]
    _, ours, textbook, lost = gpu.gpu_table.lines(given)
    assert ours["mirrorpo_is_times_faster"] == 1
    assert textbook["mirrorpo_is_times_faster"] == 2
    # Layers of 27 x 64, 64 x 64 and 64 x 8, forward and backward, without the first input's.
    flops = 600 * 2 * (2 * 27 * 64 + 3 * (64 * 64 + 64 * 8)) * 4 * 1000
    assert ours["share_of_peak"] == pytest.approx(flops / 1e12)
    assert lost["note"] == "timed out: killed"
    assert gpu.gpu_table.as_text(given).startswith("H; commit c; whole sizes\n")


def test_all_parts_together_have_at_most_25_minutes_and_small_ones_are_the_same(gpu):
    whole, small = (gpu.gpu_parts.parts(size) for size in (False, True))
    assert sum(part.limit for part in whole) <= 25 * 60
    assert len({part.name for part in whole}) == len(whole)
    assert {part.name for part in small} - {part.name for part in whole} == {
        "training-2-mirrorpo",
        "training-2-textbook-jax",
    }
    assert {part.what for part in small} == {part.what for part in whole}


def command(out, *options, timeout=None):
    environment = {**os.environ, "MIRRORPO_CACHE": str(out / "cache")}
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu.py"), "--out", str(out), *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
    )


@pytest.mark.slow
def test_the_small_form_measures_everything(tmp_path):
    done = command(tmp_path, "--small")
    assert done.returncode == 0, done.stderr
    lost = {row["part"] for row in rows(tmp_path) if row["status"] == "not there"}
    assert lost <= {"evaluation-warp"}
    generations = [row for row in rows(tmp_path) if row["what"] == "generation" and not row["end"]]
    assert [row["by"] for row in generations] == ["generation 1, with compilation", "generation 2"]
    assert "| language bench |" in (tmp_path / "table.md").read_text()


def test_a_part_of_the_small_form_and_what_is_shown(gpu, tmp_path, capsys):
    done = command(tmp_path, "--small", "--only", "device,peak")
    assert done.returncode == 0, done.stderr
    assert {row["device"] for row in rows(tmp_path) if row["part"] == "peak"} == {"cpu"}
    gpu.main(tmp_path, show=True)
    assert capsys.readouterr().out == (tmp_path / "table.md").read_text()
    assert "| float32 peak | 64 x 64 |" in (tmp_path / "table.md").read_text()
    for given, said in (
        ({}, "holds rows of the small sizes"),
        ({"small": True, "only": "trainings"}, "training-2-mirrorpo"),
    ):
        with pytest.raises(SystemExit) as stopped:
            gpu.main(tmp_path, **given)
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err
