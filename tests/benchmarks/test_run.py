"""The benchmark command runs to its end, and keeps what it measured."""

import importlib
import itertools
import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COMMAND = [sys.executable, str(BENCHMARKS / "run.py"), "--quick"]
MAY_BE_ZERO = ("compile_seconds", "largest_difference_of_losses")
ANY_SIGN = ("seconds_exponent", "memory_exponent")


def run(*options, cache, check=True):
    environment = {**os.environ, "MIRRORPO_CACHE": str(cache)}
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, env=environment, check=check
    )


def kept(out):
    """The lines of a run, which its table has too."""
    lines = json.loads((out / "benchmarks.json").read_text())["lines"]
    table = (out / "table.md").read_text().splitlines()[2:]
    assert [row.split(" | ")[0] for row in table] == [f"| {line['what']}" for line in lines]
    return lines


def assert_measured(line):
    """Every line has figures, all finite, and positive where they can be nothing else."""
    if str(line["by"]).startswith("torch") and find_spec("torch") is None:
        assert line["note"] == "PyTorch is not installed"
        return
    assert "note" not in line, line
    figures = {name: value for name, value in line.items() if isinstance(value, (int, float))}
    assert figures
    for name, value in figures.items():
        assert math.isfinite(value), (name, line)
        if name not in ANY_SIGN:
            assert value > 0 or (value == 0 and name in MAY_BE_ZERO), (name, line)


def test_a_line_is_measured_printed_and_kept_without_the_users_cache(tmp_path, monkeypatch, capsys):
    """The first line of training; the others are slow."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    monkeypatch.setenv("MIRRORPO_CACHE", str(cache))
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    command = importlib.import_module("run")
    training = command.PARTS["training"]

    def first(sizes, measure):
        return itertools.islice(training(sizes, measure), 1)

    monkeypatch.setitem(command.PARTS, "peak", first)
    command.main(quick=True, only="peak", out=out)
    (line,) = kept(out)
    assert (line["what"], line["by"]) == ("float32 peak", "")
    assert_measured(line)
    printed, page = capsys.readouterr().out.split("\n\n")
    assert len(printed.splitlines()) == 1
    assert page.strip() == (out / "page.md").read_text().strip()
    assert not cache.exists()
    # The same command again takes what it has.
    measured = (out / "measured.jsonl").read_bytes()
    command.main(quick=True, only="peak", out=out)
    assert (out / "measured.jsonl").read_bytes() == measured
    assert kept(out) == [line]


@pytest.mark.slow  # its first line is short above, its trainers in test_same_training.py
def test_training_is_measured_beside_the_others_without_the_users_cache(tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out"
    done = run("--only", "training", "--out", str(out), cache=cache)
    lines = kept(out)
    assert [(line["what"], line["by"]) for line in lines] == [
        ("float32 peak", ""),
        *[("training", by) for by in ("mirrorpo", "textbook-jax", "torch-vmap", "torch-loop")],
        ("training", "textbook-bfloat16"),
    ]
    assert len(done.stdout.split("\n\n")[0].splitlines()) == len(lines)
    for line in lines:
        assert_measured(line)
    peak, ours, textbook = lines[:3]
    assert ours["mirrorpo_is_times_faster"] == 1
    assert textbook["mirrorpo_is_times_faster"] == pytest.approx(
        ours["agent_steps_a_second"] / textbook["agent_steps_a_second"]
    )
    assert ours["share_of_peak"] == pytest.approx(ours["gflops_a_second"] / peak["gflops_a_second"])
    assert ours["compile_seconds"] > 0
    assert not cache.exists()


def test_an_unknown_part_is_named_beside_the_known_ones(tmp_path):
    done = run("--only", "training,trainings", cache=tmp_path, check=False)
    assert done.returncode == 2
    assert "'trainings'" in done.stderr
    assert "growth" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_everything_is_measured(tmp_path):
    out = tmp_path / "out"
    run("--out", str(out), cache=tmp_path / "cache")
    lines = kept(out)
    assert {line["what"] for line in lines} == {
        "float32 peak",
        "training",
        "evaluation",
        "generation",
        "messages",
        "language",
        "scaling",
        "start-up",
        "growth",
    }
    for line in lines:
        assert_measured(line)
    by = {line["by"] for line in lines if line["what"] == "evaluation"}
    assert by == {"mirrorpo", "brax", "mujoco.rollout"}
    generation, evosax = (line for line in lines if line["what"] == "generation")
    assert evosax["share_of_generation"] == pytest.approx(evosax["seconds"] / generation["seconds"])
    parts = ("training_seconds", "evaluation_seconds", "rest_seconds")
    assert sum(generation[name] for name in parts) == pytest.approx(generation["seconds"])
    for agents in (2, 4):
        found = [line for line in lines if line["size"] == f"{agents} agents"]
        rates = [line["agents_a_minute"] for line in found if line["what"] == "scaling"]
        ratios = [line["times_one_worker"] for line in found if line["what"] == "scaling"]
        assert ratios == pytest.approx([rate / rates[0] for rate in rates])
    cold, warm = (line for line in lines if line["what"] == "start-up")
    assert cold["training_seconds"] > warm["training_seconds"]
    fitted = [line["against"] for line in lines if "seconds_exponent" in line]
    assert fitted == ["population", "rows", "time steps", "episodes"]
    with Image.open(out / "growth.png") as image:
        image.load()
