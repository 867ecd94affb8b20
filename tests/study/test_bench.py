import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo import objectives
from mirrorpo.agents import agent_files
from mirrorpo.damage import DamageWarning
from mirrorpo.discovery import shapes
from mirrorpo.objectives.naming import split_list
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.study import bench, records, robots
from mirrorpo.study.algorithms import load
from mirrorpo.study.settings import BenchSettings
from mirrorpo.user_text import UserText
from tests import point_task

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two_agents(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def tiny(two_agents, **changes):
    settings = {
        "variants": ("base", "noisy:0.3"),
        "algorithms": ("sft", "cpo[sft_weight=1]"),
        "seeds": 3,
        "search": True,
        "search_seeds": 1,
        "tune_by": "grid",
        "epochs": 2,
        "episodes": 4,
        "search_episodes": 2,
    }
    return BenchSettings(**{**point_task.bench(two_agents), **settings, **changes})


def scores(log):
    frame = log.frame()
    return frame.drop(columns=["train_seconds", "evaluate_seconds"])


def test_a_bench_has_one_row_an_agent_and_searches_with_other_seeds(two_agents, tmp_path, cache):
    log, sources = bench.run(tiny(two_agents), tmp_path / "run", cache=cache)
    frame = log.frame()
    final = frame[frame.phase == "final"]
    assert final.groupby(["variant", "algorithm"]).size().tolist() == [3, 3, 3, 3]
    search = frame[frame.phase == "search"]
    # SFT has nothing to search; of CPO's grid the given sft_weight is left out.
    assert set(search.algorithm) == {"cpo[sft_weight=1]"}
    assert {frozenset(json.loads(text)) for text in search.hyperparameters} == {frozenset({"beta"})}
    assert not set(search.seed) & set(final.seed)
    assert [source.label for source in sources] == ["better: first", "worse: second"]
    for name in ("results.parquet", "results.csv", "config.json", "metrics.jsonl"):
        assert (tmp_path / "run" / name).is_file()


def test_a_source_agent_meets_the_start_states_of_all_agents_of_a_cell(two_agents, tmp_path, cache):
    asked = tiny(two_agents, algorithms=("sft",), variants=("base",))
    _, sources = bench.run(asked, tmp_path / "run", cache=cache)
    policy, _ = agent_files.load(two_agents[0])
    seeds = [robots.FINAL_EPISODES_SEED + seed for seed in range(asked.seeds)]
    stacked = jax.tree.map(lambda x: np.stack([x] * asked.seeds), policy)
    found = evaluation.returns(stacked, tasks.load(asked.task), asked.episodes, seeds, True)
    assert sources[0].mean == pytest.approx(found.mean(), rel=1e-6)
    error = found.std(ddof=1) / found.size**0.5
    assert sources[0].standard_error == pytest.approx(error, rel=1e-5)


def test_the_final_agents_use_the_best_point_of_the_search(two_agents, tmp_path, cache):
    log, _ = bench.run(tiny(two_agents), tmp_path / "run", cache=cache)
    frame = log.frame()
    for _, cell in frame[frame.algorithm == "cpo[sft_weight=1]"].groupby("variant"):
        search = cell[cell.phase == "search"]
        best = search.loc[search.return_mean.idxmax(), "hyperparameters"]
        assert set(cell[cell.phase == "final"].hyperparameters) == {best}


def test_the_curve_of_the_return_ends_at_the_score(two_agents, tmp_path, cache):
    asked = tiny(two_agents, variants=("base",), algorithms=("sft",), curve_episodes=4)
    bench.run(asked, tmp_path / "run", cache=cache)
    for record, curves in records.read(tmp_path / "run" / "metrics.jsonl"):
        assert len(curves["return_mean"]) == asked.epochs
        # As many episodes as the score has, from the same start states.
        assert curves["return_mean"][-1] == pytest.approx(record.return_mean, rel=1e-4)
        assert curves["return_mean"][0] != curves["return_mean"][-1]


def test_kept_agents_have_the_scores_of_the_first_seed(two_agents, tmp_path, cache):
    asked = tiny(two_agents, algorithms=("sft", "cpo[beta=0.5,sft_weight=1]"))
    log, _ = bench.run(asked, tmp_path / "run", cache=cache, keep_agents=True)
    frame = log.frame()
    kept = sorted((tmp_path / "run" / "agents").glob("*.safetensors"))
    assert [path.stem for path in kept] == [
        "base-cpo-beta-0.5-sft_weight-1",
        "base-sft",
        "noisy-0.3-cpo-beta-0.5-sft_weight-1",
        "noisy-0.3-sft",
    ]
    first = frame[(frame.phase == "final") & (frame.seed == 0)]
    assert sorted(agent_files.load(path)[1].return_mean for path in kept) == sorted(
        first.return_mean
    )
    policy, card = agent_files.load(kept[1])
    task = tasks.load(card.task, card.backend)
    two = jax.tree.map(lambda x: np.stack([x, x]), policy)
    again = evaluation.returns(two, task, card.episodes, card.evaluation_seed, True)
    assert again[0].mean(dtype=float) == pytest.approx(card.return_mean, rel=1e-6)


def test_a_run_from_before_a_setting_existed_goes_on(two_agents, tmp_path, cache):
    settings = tiny(two_agents, variants=("base",), algorithms=("sft",))
    bench.run(settings, tmp_path / "run", cache=cache)
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    del config["settings"]["curve_episodes"]
    path.write_text(json.dumps(config))
    log, _ = bench.run(settings, tmp_path / "run", cache=cache)
    assert len(log) == 3
    with pytest.raises(ValueError, match="curve_episodes"):
        bench.run(dataclasses.replace(settings, curve_episodes=2), tmp_path / "run", cache=cache)


def test_an_interrupted_bench_goes_on_to_the_same_results(two_agents, tmp_path, cache):
    class Killed(Exception):
        pass

    whole, _ = bench.run(tiny(two_agents), tmp_path / "whole", cache=cache)
    for stop_at in (1, 7):

        def kill(done, total, doing, stop_at=stop_at):
            if done >= stop_at:
                raise Killed

        out = tmp_path / f"cut-{stop_at}"
        with pytest.raises(Killed):
            bench.run(tiny(two_agents), out, progress=kill, cache=cache)
        # As a kill in the middle of a write leaves it.
        with (out / "metrics.jsonl").open("a") as file:
            file.write('{"agent": {"task": "hop')
        again, _ = bench.run(tiny(two_agents), out, cache=cache)
        assert scores(again).equals(scores(whole))


def test_a_finished_bench_computes_nothing_again(two_agents, tmp_path, cache, monkeypatch):
    first, _ = bench.run(tiny(two_agents), tmp_path / "run", cache=cache)

    def never(*args, **kwargs):
        raise AssertionError("trained or simulated again")

    monkeypatch.setattr("mirrorpo.training.learner.train", never)
    monkeypatch.setattr(robots.pools, "cached", never)
    second, _ = bench.run(tiny(two_agents), tmp_path / "run", cache=cache)
    assert second.frame().equals(first.frame())


def test_a_folder_of_other_settings_or_other_files_is_refused(two_agents, tmp_path, cache):
    bench.run(tiny(two_agents, algorithms=("sft",)), tmp_path / "run", cache=cache)
    with pytest.raises(ValueError, match="algorithms"):
        bench.run(tiny(two_agents), tmp_path / "run", cache=cache)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="nothing is overwritten"):
        bench.run(tiny(two_agents), tmp_path / "mine", cache=cache)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_run_does_not_go_on_with_another_content_of_the_same_file(two_agents, tmp_path, cache):
    path = tmp_path / "mine.json"
    objectives.save(objectives.get("dpo", beta=1.0, aggregation="mean"), path)
    settings = tiny(two_agents, algorithms=(str(path),), variants=("base",), seeds=1)
    bench.run(settings, tmp_path / "run", cache=cache)
    objectives.save(objectives.get("dpo", beta=2.0, aggregation="mean"), path)
    with pytest.raises(ValueError, match=r"another content of .*mine\.json"):
        bench.run(settings, tmp_path / "run", cache=cache)


def test_a_users_own_objective_joins_the_table_and_its_search(two_agents, tmp_path, cache):
    mine = Path(__file__).parents[2] / "examples" / "my_loss.py"
    settings = tiny(two_agents, algorithms=("sft", UserText(f"{mine}:SoftLPO")), variants=("base",))
    log, _ = bench.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    rows = frame[frame.algorithm == f"{mine}:SoftLPO"]
    assert (rows.phase == "final").sum() == 3
    assert {json.loads(text)["scale"] for text in rows.hyperparameters} == {0.3, 1.0, 3.0}
    # Kept with the run, which is looked at without the user's code.
    kept = shapes.recall(tmp_path / "run")
    assert list(kept) == [f"{mine}:SoftLPO"]
    assert kept[f"{mine}:SoftLPO"].grid == {"scale": (0.3, 1.0, 3.0)}


def test_a_diverged_agent_is_a_row_without_a_number(two_agents, tmp_path, cache):
    settings = tiny(
        two_agents, algorithms=("sft",), variants=("base",), learning_rate=1e38, epochs=4
    )
    log, _ = bench.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    assert frame.diverged.all()
    assert frame.return_mean.isna().all()


def test_wrong_names_are_refused_before_anything_is_written(two_agents, tmp_path, cache):
    for change in ({"algorithms": ("dpoo",)}, {"variants": ("noisy:0.7",)}, {"task": "hoper"}):
        with pytest.raises(ValueError):
            bench.run(tiny(two_agents, **change), tmp_path / "run", cache=cache)
        assert not (tmp_path / "run").exists()


def test_a_cut_line_is_left_out_of_the_log(tmp_path):
    record = records.AgentRecord("t", "base", "dpo", "final", "{}", 0, 1.0, 0.1, 2, False, 0.0, 0.0)
    path = tmp_path / "metrics.jsonl"
    records.BenchLog(path).add(record, {"loss": [1.0]})
    whole = path.read_text()
    path.write_text(whole + whole[:-1])
    log = records.BenchLog(path)
    assert len(log) == 1
    assert path.read_text() == whole


def test_an_agent_that_two_processes_have_logged_counts_once_wherever_its_log_is_read(tmp_path):
    record = records.AgentRecord("t", "base", "dpo", "final", "{}", 0, 1.0, 0.1, 2, False, 0.0, 0.0)
    path = tmp_path / "metrics.jsonl"
    records.BenchLog(path).add(record, {"loss": [1.0]})
    path.write_text(path.read_text() + path.read_text().replace("1.0", "3.0"))
    with pytest.warns(DamageWarning, match="is there twice; the second is left out"):
        assert records.read(path) == [(record, {"loss": [1.0]})]
    with pytest.warns(DamageWarning, match="is there twice; the second is left out"):
        assert len(records.BenchLog(path)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dpo[beta=0.3", "not closed"),
        ("dpo[beta]", "name=value"),
        ("dpo[betta=0.3]", "beta"),
        ("dpo[beta=-1]", "beta"),
    ],
)
def test_algorithms_with_bad_values_say_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        load(text)


def test_values_that_are_given_are_not_searched():
    assert load("simpo").grid_points != load("simpo[gamma=10]").grid_points
    assert all(set(point) == {"beta"} for point in load("simpo[gamma=10]").grid_points)
    assert load("dpo[beta=0.3]").grid_points == [{}]
    assert load("ta-mpo[schedule=quadratic]").grid_points == load("ta-mpo").grid_points


def test_lists_take_commas_and_spaces_but_not_inside_brackets():
    assert split_list(("dpo,simpo[beta=1,gamma=2]", "orpo")) == (
        "dpo",
        "simpo[beta=1,gamma=2]",
        "orpo",
    )


@pytest.mark.parametrize("name", ["algorithms", "variants"])
def test_what_is_named_twice_is_refused_before_anything_is_trained(name):
    text = {"algorithms": "sft", "variants": "base"}[name]
    with pytest.raises(ValueError, match=f"{name} names {text} twice"):
        mpo.bench(**{name: [text, text]})


@pytest.mark.parametrize("name", ["seeds", "rows", "episodes", "search_seeds", "trials"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        BenchSettings(**{name: 0})


@pytest.mark.slow  # the campaign's short form kills a command, and tests/cluster a bench's worker
def test_kill_minus_nine_loses_at_most_the_agents_at_work(two_agents, tmp_path, cache):
    """The real thing: a process killed without warning, then the same command again."""
    command = [
        *(sys.executable, "-c", "from tests import point_task; import mirrorpo.cli as c; c.main()"),
        *("bench", "--task", point_task.NAME, "--variants", "base"),
        *("--algorithms", "sft", "--seeds", "12", "--rows", "64", "--epochs", "6"),
        *("--episodes", "4", "--better", str(two_agents[0]), "--worse", str(two_agents[1])),
        *("--data-draws", "1", "--allow-short", "--cache", str(cache), "--out"),
    ]

    def run(out):
        done = subprocess.run(
            [*command, str(out)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        return [line for line in done.stdout.splitlines() if "│" in line]

    cut = tmp_path / "cut"
    log = cut / "metrics.jsonl"
    process = subprocess.Popen(
        [*command, str(cut)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not (log.is_file() and log.stat().st_size):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(Path(log).read_text().splitlines())
    assert 1 <= before < 12, "the kill came in the middle"
    table = run(cut)
    assert table
    assert table == run(tmp_path / "whole")


def test_agents_of_a_cell_are_spread_over_draws_that_the_search_has_not_seen(
    two_agents, tmp_path, cache
):
    asked = tiny(two_agents, variants=("noisy:0.3",), data_draws=2)
    frame = bench.run(asked, tmp_path / "run", cache=cache)[0].frame()
    final, search = frame[frame.phase == "final"], frame[frame.phase == "search"]
    assert [set(final.data_draw[final.seed == seed]) for seed in range(3)] == [{0}, {1}, {0}]
    assert set(search.data_draw) == {*asked.searched}
    assert not set(search.data_draw) & set(final.data_draw)
    # Each agent of a cell has its own episodes, the same as its namesake in another cell.
    assert final.groupby("seed").episodes_seed.nunique().tolist() == [1, 1, 1]
    assert final.episodes_seed.nunique() == 3
    assert not set(final.episodes_seed) & set(search.episodes_seed)


def test_agents_of_a_trial_are_spread_over_draws_of_their_own(two_agents, tmp_path, cache):
    asked = tiny(two_agents, variants=("noisy:0.3",), search_seeds=2, search_draws=2)
    frame = bench.run(asked, tmp_path / "run", cache=cache)[0].frame()
    search = frame[frame.phase == "search"]
    assert len(search) > 2
    of_trials = search.groupby(["algorithm", "hyperparameters"]).data_draw
    assert {tuple(sorted(draws)) for _, draws in of_trials} == {tuple(asked.searched)}
    assert not set(search.data_draw) & set(frame[frame.phase == "final"].data_draw)


def test_data_of_robots_that_fall_at_once_are_refused(tmp_path, cache):
    two_agents = point_task.write_agents(tmp_path, push=9.0)
    with pytest.raises(ValueError, match=r"end within 50 steps .* --allow-short"):
        bench.run(tiny(two_agents, allow_short=False), tmp_path / "run", cache=cache)
