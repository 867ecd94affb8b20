"""A bench that tunes by trials: its budget, its log, its notes, and the same choice after kills.

The task is a point on a line, and in most tests a formula stands in for training.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirrorpo.execution.batch import ScoredAgents
from mirrorpo.progress import silent
from mirrorpo.study import bench, tables, tuning
from mirrorpo.study.settings import BenchSettings
from tests import point_task

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two agents of the point, and a place for its trajectories."""
    found = tmp_path_factory.mktemp("points")
    point_task.write_agents(found)
    return found


def asked(folder, **changes):
    settings = BenchSettings(
        task=point_task.NAME,
        variants=("base",),
        algorithms=("sft", "dpo", "simpo"),
        seeds=2,
        search=True,
        search_seeds=2,
        trials=8,
        rows=8,
        epochs=2,
        time_steps=8,
        episodes=4,
        search_episodes=2,
        data_draws=1,
        allow_short=True,
        better=str(folder / "first.safetensors"),
        worse=str(folder / "second.safetensors"),
    )
    return replace(settings, **changes)


class Formula:
    """A place that scores agents by a formula of their beta, in batches of any size."""

    def __init__(self, at_once=3, peak=9.0, diverges_above=math.inf, pause=0.0):
        self.count, self.agents_at_once = 1, at_once
        self._pause = pause
        self._peak, self._limit = peak, diverges_above

    @contextlib.contextmanager
    def workers(self, supply):
        yield self

    def work_off(self, orders):
        for position, order in reversed(list(enumerate(orders))):
            betas = np.array([getattr(one, "beta", 1.0) for one in order.objectives])
            means = 100.0 - np.log(betas / self._peak) ** 2 + 0.01 * (np.array(order.seeds) % 7)
            diverged = betas > self._limit
            returns = np.repeat(means[:, None], order.episodes, 1).astype(np.float32)
            returns[diverged] = np.nan
            time.sleep(self._pause)
            yield position, ScoredAgents(returns, diverged, {}, ("sft",), None, 0.0, 0.0)


def run(settings, out, folder, place=None, progress=silent):
    return bench.run(settings, out, progress, folder / "cache", place)


def results(out):
    """What a run says, without the clock."""
    frame = (out / "results.csv").read_text().splitlines()
    names = frame[0].split(",")
    clock = {names.index("train_seconds"), names.index("evaluate_seconds")}
    rows = [[x for k, x in enumerate(line.split(",")) if k not in clock] for line in frame]
    return rows, (out / "tuned.json").read_text()


def test_every_loss_with_hyper_parameters_takes_the_same_budget(folder, tmp_path):
    log, _ = run(asked(folder), tmp_path / "run", folder, Formula())
    frame = log.frame()
    search = frame[frame.phase == "search"]
    assert search.groupby("algorithm").size().to_dict() == {"dpo": 16, "simpo": 16}
    assert search.groupby(["algorithm", "trial"]).seed.nunique().eq(2).all()
    assert search.groupby(["algorithm", "trial"]).hyperparameters.nunique().eq(1).all()
    # On a draw of its own, which no score uses.
    final = frame[frame.phase == "final"]
    assert not set(search.data_draw) & set(final.data_draw)


def test_the_final_agents_have_the_best_trials_values_and_tuned_json_says_how(folder, tmp_path):
    log, _ = run(asked(folder), tmp_path / "run", folder, Formula())
    frame = log.frame()
    found = tuning.read(tmp_path / "run")
    assert set(found) == {("dpo", "base"), ("simpo", "base")}
    for name in ("dpo", "simpo"):
        cell = frame[frame.algorithm == name]
        search = cell[cell.phase == "search"]
        best = search.groupby("hyperparameters").return_mean.mean().idxmax()
        assert set(cell[cell.phase == "final"].hyperparameters) == {best}
        one = found[name, "base"]
        assert {k: v.value for k, v in one.optimum.items()} == json.loads(best)
        assert (one.trials, one.agents, one.by) == (8, 16, "trials")
        assert one.gain >= 0
    dpo = found["dpo", "base"].optimum["beta"]
    assert dpo.edge_distance == pytest.approx(
        min(math.log(dpo.value), math.log(300 / dpo.value)) / math.log(300), abs=1e-3
    )
    assert found["dpo", "base"].sft_limit == "outside, beyond large beta"


def test_the_result_does_not_depend_on_how_many_agents_are_trained_together(folder, tmp_path):
    for size in (1, 5, 64):
        run(asked(folder), tmp_path / f"{size}", folder, Formula(size))
    assert results(tmp_path / "1") == results(tmp_path / "5") == results(tmp_path / "64")


def test_an_optimum_at_an_edge_widens_and_the_count_stays_right(folder, tmp_path):
    points = []

    def tell(*point):
        points.append(point)

    settings = asked(folder, algorithms=("dpo",), seeds=1)
    log, sources = run(settings, tmp_path / "run", folder, Formula(peak=0.3), tell)
    one = tuning.read(tmp_path / "run")["dpo", "base"]
    assert one.widenings >= 1
    assert one.trials == 8 + 4 * one.widenings
    assert one.optimum["beta"].low < 1.0
    assert len(log) == 2 * one.trials + 1
    totals = [total for _, total, _ in points]
    assert totals == sorted(totals)
    assert totals[0] == 2 * 8 + 1
    assert points[-1][:2] == (len(log), len(log))
    assert all(done <= total for done, total, _ in points)
    table = tables.build(log.frame(), point_task.NAME, ("dpo",), ("base",), sources)
    summary = tuning.with_columns(tables.to_frame(table), tuning.read(tmp_path / "run"))
    assert summary.loc[0, ["trials", "tuning_agents"]].tolist() == [one.trials, one.agents]
    assert summary.loc[0, "edge_distance"] == one.edge_distance
    assert "1 of 1 cells widened a range" in tuning.to_markdown({("dpo", "base"): one})


def test_an_optimum_toward_sft_is_marked_and_not_widened(folder, tmp_path):
    run(asked(folder, algorithms=("dpo",)), tmp_path / "run", folder, Formula(peak=1e6))
    one = tuning.read(tmp_path / "run")["dpo", "base"]
    assert one.widenings == 0
    assert one.at_edge == "beta high, toward SFT"
    text = tuning.to_markdown({("dpo", "base"): one})
    assert "8 trials (16 agents) per cell." in text
    assert "| beta high, toward SFT | outside, beyond large beta |" in text


def test_values_that_are_given_are_not_tuned(folder, tmp_path):
    named = ("dpo[beta=3]", "simpo[gamma=1]")
    log, _ = run(asked(folder, algorithms=named), tmp_path / "run", folder, Formula())
    frame = log.frame()
    search = frame[frame.phase == "search"]
    assert set(search.algorithm) == {"simpo[gamma=1]"}
    assert {tuple(json.loads(text)) for text in search.hyperparameters} == {("beta",)}


def test_trials_that_diverge_are_recorded_and_never_chosen(folder, tmp_path):
    place = Formula(peak=250.0, diverges_above=20.0)
    log, _ = run(asked(folder, algorithms=("dpo",)), tmp_path / "run", folder, place)
    frame = log.frame()
    assert frame[frame.phase == "search"].diverged.any()
    assert not frame[frame.phase == "final"].diverged.any()
    # The start, the published 100, is among the lost.
    assert tuning.read(tmp_path / "run")["dpo", "base"].start_score is None


def test_a_search_of_a_grid_says_how_near_its_edge_the_choice_is(folder, tmp_path):
    settings = asked(folder, tune_by="grid", trials=None, algorithms=("dpo",))
    run(settings, tmp_path / "run", folder, Formula(peak=300.0))
    one = tuning.read(tmp_path / "run")["dpo", "base"]
    assert (one.by, one.trials, one.agents) == ("grid", 5, 10)
    assert one.at_edge == "beta high"
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "tune_by" not in config["settings"]


def test_a_run_of_another_budget_is_refused(folder, tmp_path):
    run(asked(folder), tmp_path / "run", folder, Formula())
    for change in ({"trials": 9}, {"tune_by": "grid", "trials": None}):
        with pytest.raises(ValueError, match="other settings"):
            run(asked(folder, **change), tmp_path / "run", folder, Formula())


class Killed(Exception):
    pass


@pytest.mark.parametrize("stops", [(1, 2, 30), (7, 9, 16, 23)])
def test_a_tuned_bench_killed_again_and_again_ends_the_same(folder, tmp_path, stops):
    settings = asked(folder, algorithms=("dpo", "simpo"))
    run(settings, tmp_path / "whole", folder, Formula(1, peak=0.5))
    out = tmp_path / "cut"
    for stop in stops:

        def kill(done, total, doing, stop=stop):
            if done >= stop:
                raise Killed

        with pytest.raises(Killed):
            run(settings, out, folder, Formula(1, peak=0.5), kill)
        # As a kill in the middle of a write leaves it.
        with (out / "metrics.jsonl").open("a") as file:
            file.write('{"agent": {"task": "hop')
    run(settings, out, folder, Formula(1, peak=0.5))
    assert results(out) == results(tmp_path / "whole")


def killed_at_the_first_agent(settings, out, folder, place):
    """Go on with a bench in a process of its own, and kill it without warning."""
    script = (
        "from pathlib import Path\n"
        "from mirrorpo.runtime.start import start_jax\n"
        "from mirrorpo.study import bench\n"
        "from mirrorpo.study.settings import BenchSettings\n"
        "from tests import point_task\n"
        "from tests.study.test_tuned_bench import Formula\n"
        "start_jax()\n"
        f"bench.run({settings!r}, Path({str(out)!r}), cache=Path({str(folder / 'cache')!r}), "
        f"place={place})\n"
    )
    paths = [str(ROOT), *(part for part in sys.path if part)]
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = out / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not (log.is_file() and log.stat().st_size):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines = len(log.read_text().splitlines())
    assert not (out / "tuned.json").is_file()
    return lines


def test_a_tuned_bench_killed_by_sigkill_ends_the_same(folder, tmp_path):
    settings = asked(folder, algorithms=("dpo",))
    run(settings, tmp_path / "whole", folder, Formula(1))
    out = tmp_path / "cut"

    def stop_before_the_first_agent(done, total, doing):
        if doing == "trajectories":
            raise Killed

    # The source agents are scored here, which saves the other process to compile that.
    with pytest.raises(Killed):
        run(settings, out, folder, Formula(1), stop_before_the_first_agent)
    assert 1 <= killed_at_the_first_agent(settings, out, folder, "Formula(1, pause=0.3)") < 18
    run(settings, out, folder, Formula(1))
    assert results(out) == results(tmp_path / "whole")


def test_a_bench_with_finalists_trains_their_further_agents_and_counts_them(folder, tmp_path):
    plain = asked(folder, algorithms=("dpo",))
    whole = run(replace(plain, finalists=2), tmp_path / "whole", folder, Formula(3))[0]
    assert len(whole) == 8 * 2 + 2 * 6 + 2
    found = tuning.read(tmp_path / "whole")["dpo", "base"]
    assert (found.trials, found.agents) == (8, 28)


@pytest.mark.slow
def test_a_tuned_bench_really_trained_and_killed_by_sigkill_ends_the_same(folder, tmp_path):
    settings = asked(folder, algorithms=("dpo",), trials=6, seeds=1, search_seeds=1)
    run(settings, tmp_path / "whole", folder)
    out = tmp_path / "cut"
    assert 1 <= killed_at_the_first_agent(settings, out, folder, None) < 7
    run(settings, out, folder)
    assert results(out) == results(tmp_path / "whole")


def test_a_damaged_record_of_the_tuning_is_one_line(tmp_path):
    (tmp_path / "tuned.json").write_text('{"tuning": {"dpo": {"base": {"trials": "many"}}}}')
    with pytest.raises(ValueError, match=r"tuned\.json is damaged"):
        tuning.read(tmp_path)
    (tmp_path / "tuned.json").write_text('{"algorithms": {}}')
    assert tuning.read(tmp_path) == {}
