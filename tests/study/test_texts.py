"""The bench on reviews, whole: prompts, samples, target, pool, agents, table."""

import contextlib
import json
import pickle
import shutil

import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")


import mirrorpo as mpo
from mirrorpo import objectives
from mirrorpo.preferences import facts
from mirrorpo.reporting import comparison
from mirrorpo.reporting.page import reading
from mirrorpo.study import bench, tables, tuning, win_rates
from mirrorpo.study.settings import BenchSettings
from mirrorpo.user_text import UserText
from tests.language import tiny_reviews

MEASURES = ("kl", "distinct_1", "distinct_2", "tokens", "perplexity", "win_rate")


pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_reviews.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def tiny(model, **changes):
    return BenchSettings(
        **{
            "task": "reviews",
            "model": model,
            "variants": ("base", "noisy:0.3"),
            "algorithms": ("dpo[beta=1]", "ta-mpo"),
            "seeds": 1,
            "rows": 12,
            "test_prompts": 6,
            "episodes": 12,
            "search_episodes": 6,
            "max_new_tokens": 6,
            "best_of": 2,
            "target_steps": 4,
            "steps": 4,
            "minibatch": 4,
            "data_draws": 1,
            "learning_rate": 1e-2,
            "lora_r": 2,
            **changes,
        }
    )


def scores(log):
    return log.frame().drop(columns=["train_seconds", "evaluate_seconds"])


@pytest.fixture(scope="module")
def whole(model, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, *bench.run(tiny(model), out, cache=cache)


def test_the_chain_ends_with_one_row_an_agent_and_a_table(whole):
    out, log, sources = whole
    frame = pd.read_csv(out / "results.csv")
    assert len(frame) == 4
    assert set(frame.task) == {"reviews"}
    assert not frame.diverged.any()
    for name in ("return_mean", "return_standard_error", *MEASURES):
        assert frame[name].notna().all()
    assert (frame.tokens <= 6).all()
    assert [source.label for source in sources] == ["better: target", "worse: original"]
    of_original = json.loads((out / "source_measures.json").read_text())["worse: original"]
    assert of_original["kl"] == 0
    assert (of_original["win_rate"], of_original["win_rate_standard_error"]) == (50, 0)
    table = tables.build(
        log.frame(), "reviews", ("dpo[beta=1]", "ta-mpo"), ("base", "noisy:0.3"), sources
    )
    assert len(table.cells) == 4
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(len(row["curves"]["loss"]) == 4 for row in rows)


def test_faults_and_objectives_change_the_agent(whole):
    frame = whole[1].frame()
    assert frame.kl.nunique() == 4
    assert (frame.kl != 0).all()


def test_every_final_agents_texts_are_kept_and_no_adapter(whole):
    out, log, _ = whole
    kept = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in (out / "samples").iterdir()
    }
    assert len(kept) == 4 + 2
    original = kept["original"]
    assert len(original) == 12
    of_agents = [rows for name, rows in kept.items() if name not in ("original", "target")]
    rates = []
    for rows in of_agents:
        assert [row["prompt"] for row in rows] == [row["prompt"] for row in original]
        pairs = [(row["reward"], own["reward"]) for row, own in zip(rows, original, strict=True)]
        rates.append(100 * sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))
    assert sorted(rates) == pytest.approx(sorted(log.frame().win_rate))
    assert not list((out / "agents").glob("**/adapter*"))


def test_the_same_agents_again_give_the_same_numbers(whole, model, cache, tmp_path):
    again, _ = bench.run(tiny(model), tmp_path / "again", cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))


@pytest.mark.parametrize(
    "stop_at",
    # In the preparation, and after an agent; at the very beginning and end it is the same.
    [0.9, 1.5, *(pytest.param(at, marks=pytest.mark.slow) for at in (0.0, 2.9))],
)
def test_an_interrupted_run_goes_on_to_the_same_table(stop_at, whole, model, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, total, doing):
        if done >= stop_at:
            raise Killed

    out, cache = tmp_path / "cut", tmp_path / "cache"
    with pytest.raises(Killed):
        bench.run(tiny(model), out, kill, cache)
    # As a kill in the middle of a write leaves it.
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"agent": {"task": "revi')
    again, _ = bench.run(tiny(model), out, cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))


class Elsewhere:
    """A place whose worker gets and sends bytes alone, and that works off the last order first."""

    count = agents_at_once = 1

    def __init__(self):
        self.names = []

    @contextlib.contextmanager
    def workers(self, supply):
        self._worker = pickle.loads(pickle.dumps(supply.portable())).worker()
        yield self

    def work_off(self, orders):
        for position, order in reversed(list(enumerate(orders))):
            self.names.append(order.name)
            done = self._worker.work_off(pickle.loads(pickle.dumps(order)))
            yield position, pickle.loads(pickle.dumps(done))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_workers_elsewhere_give_the_same_table_and_texts_and_finish_what_this_process_began(
    whole, model, cache, tmp_path
):
    class Killed(Exception):
        pass

    def kill(done, total, doing):
        if done > 1:  # an agent is logged, and the next one is at work
            raise Killed

    out, place = tmp_path / "run", Elsewhere()
    with pytest.raises(Killed):
        bench.run(tiny(model), out, kill, cache, keep_agents=True)
    log, sources = bench.run(tiny(model), out, cache=cache, place=place, keep_agents=True)
    assert len(place.names) == 3
    pd.testing.assert_frame_equal(scores(log), scores(whole[1]))
    assert sources == whole[2]
    assert contents(out / "samples") == contents(whole[0] / "samples")
    kept = {path.parent.name for path in (out / "agents").glob("*/adapter")}
    assert kept >= set(place.names)
    assert len(kept) == 4


def test_workers_elsewhere_get_the_agents_of_all_draws_at_once(model, cache, tmp_path):
    settings = tiny(model, variants=("base",), algorithms=("sft",), seeds=2, data_draws=2)
    place, heaps = Elsewhere(), []
    place.work_off = lambda orders, own=place.work_off: heaps.append(len(orders)) or own(orders)
    log, _ = bench.run(settings, tmp_path / "there", cache=cache, place=place)
    assert heaps == [2]
    here, _ = bench.run(settings, tmp_path / "here", cache=cache)
    pd.testing.assert_frame_equal(scores(log), scores(here))
    assert not list((tmp_path / "there" / "agents").glob("**/adapter"))


def test_a_finished_run_loads_no_model(whole, model, cache, monkeypatch):
    from mirrorpo.language.models import loading

    def never(*args, **kwargs):
        raise AssertionError("loaded again")

    monkeypatch.setattr(loading, "load", never)
    again, sources = bench.run(tiny(model), whole[0], cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))
    assert sources == whole[2]


@pytest.mark.parametrize(
    "by",
    # The grid's points are what test_bench.py searches on robots.
    [pytest.param("grid", marks=pytest.mark.slow), "trials"],
)
def test_the_search_has_its_own_seeds_and_draw_and_its_best_point_is_scored(
    by, model, cache, tmp_path
):
    settings = tiny(
        model,
        variants=("base",),
        algorithms=("sft", "lpo"),
        search=True,
        search_seeds=1,
        tune_by=by,
        trials=4 if by == "trials" else None,
    )
    log, _ = bench.run(settings, tmp_path / "run", cache=cache, keep_agents=True)
    frame = log.frame()
    search, final = (frame[frame.phase == phase] for phase in ("search", "final"))
    assert set(search.algorithm) == {"lpo"}
    assert set(search.hyperparameters) > set(final.hyperparameters[final.algorithm == "lpo"])
    # Several may share the best score of so few texts.
    best = search[search.return_mean == search.return_mean.max()]
    assert final.set_index("algorithm").hyperparameters["lpo"] in set(best.hyperparameters)
    assert not set(search.seed) & set(final.seed)
    assert not set(search.data_draw) & set(final.data_draw)
    kept = (tmp_path / "run" / "agents").glob("*/adapter")
    assert sorted(path.parent.name[:8] for path in kept) == ["base-lpo", "base-sft"]
    found = tuning.read(tmp_path / "run")
    assert {name for name, _ in found} == {"lpo"}
    assert found["lpo", "base"].agents == len(search) == search.trial.nunique()
    assert len(search) >= 2


def test_a_diverged_agent_is_a_row_without_a_number(model, cache, tmp_path):
    settings = tiny(model, variants=("base",), algorithms=("sft",), learning_rate=1e38)
    log, _ = bench.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    assert frame.diverged.all()
    assert frame.return_mean.isna().all()
    table = tables.build(frame, "reviews", ("sft",), ("base",))
    won = win_rates.table(tmp_path / "run", table, frame)
    assert won.cells["sft", "base"].text("mean") == "diverged 1/1"


def test_the_report_reads_a_run(whole):
    found = comparison.read(whole[0])
    assert len(found.table.cells) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithms": ("dpoo",)}, "Did you mean dpo"),
        ({"rows": 10_000}, "ask for 1 to 576"),
        ({"algorithms": ("dpo",), "steps": 1}, "steps must be at least 2"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(changes, message, model, tmp_path):
    with pytest.raises(ValueError, match=message):
        bench.run(tiny(model, **changes), tmp_path / "run", cache=tmp_path / "cache")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("suffix", ["json", "py"])
def test_a_run_does_not_go_on_with_another_objective_of_the_same_name(suffix, model, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, total, doing):
        raise Killed

    path = tmp_path / f"mine.{suffix}"

    def run(beta):
        if suffix == "json":
            objectives.save(objectives.get("dpo", beta=beta), path)
        else:
            path.write_text(
                "from dataclasses import dataclass\n"
                "from mirrorpo.objectives import Objective\n"
                "@dataclass(frozen=True, kw_only=True)\n"
                "class Mine(Objective):\n"
                "    name = 'mine-of-this-test'\n"
                "    def loss(self, batch, progress):\n"
                f"        return {beta} * (batch.rejected - batch.chosen)\n"
            )
        text = UserText(path if suffix == "json" else f"{path}:Mine")
        settings = tiny(model, variants=("base",), algorithms=(text,))
        bench.run(settings, tmp_path / "run", kill, tmp_path / "cache")

    for _ in range(2):
        with pytest.raises(Killed):
            run(1.0)
    with pytest.raises(Killed):
        run(2.0)  # nothing is there yet: what was wrong has been corrected
    (tmp_path / "run" / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match=r"another content of .*mine"):
        run(1.0)


def test_the_facts_of_the_data_are_written_and_noise_flips_more_labels(whole):
    out = whole[0]
    base, noisy = facts.recall(out)
    assert (base.variant, base.rows, base.agents) == ("base", 12, ("target", "original"))
    assert base.pairings == (0, 1, 0)
    assert base.flipped < noisy.flipped
    mixed = 0.5 * (base.chosen_return[0] + base.rejected_return[0])
    assert 0.5 * (noisy.chosen_return[0] + noisy.rejected_return[0]) == pytest.approx(mixed)
    assert [name for name, _, _ in base.sides] == ["true reward, mean ± s.d.", "words, mean"]


def test_agents_are_spread_over_draws_of_texts_that_share_the_target(model, cache, tmp_path):
    settings = tiny(model, variants=("base",), algorithms=("sft",), seeds=2, data_draws=2)
    log, _ = bench.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    assert sorted(frame.data_draw) == [0, 1]
    (folder,) = {path.parent for path in cache.glob("*/pool-1.json")}
    first, second = (json.loads((folder / f"pool-{n}.json").read_text()) for n in (0, 1))
    assert first["prompts"] == second["prompts"]
    assert first["texts"] != second["texts"]
    assert len(list(folder.glob("target"))) == 1


def test_from_python_a_bench_on_texts_is_a_result_like_any_other(model, cache, tmp_path):
    settings = tiny(model, variants=("base",), seeds=2)
    result = mpo.bench(settings, out=tmp_path / "run", cache=cache)
    assert list(result.table.algorithm) == ["dpo[beta=1]", "ta-mpo"]
    assert "true reward in points" in result._repr_html_()
    tables = dict(result.side_tables)
    (won,) = (table for title, table in tables.items() if title.startswith("Win rate"))
    assert len(tables) == 2
    assert won.sources[1].mean == 50
    assert mpo.bench(settings, out=tmp_path / "run", cache=cache).agents.equals(result.agents)


def test_a_run_folder_of_version_0_1_0_is_read_with_its_own_command(whole, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(whole[0], old)
    for name in ("config.json", "metrics.jsonl"):
        path = old / name
        path.write_text(path.read_text().replace('"task": "reviews"', '"task": "sentiment"'))
    config = json.loads((old / "config.json").read_text())
    config["command"] = "mirrorpo sentiment --seeds 1"
    (old / "config.json").write_text(json.dumps(config))
    parts = reading.read([old])
    (found,) = parts.benches
    assert parts.folders[0].command == "mirrorpo sentiment --seeds 1"
    assert (found.quantities.decimals, found.curve_step) == (1, 1)
    assert len(found.measured) == 2
    again = reading.read([whole[0]]).benches[0]
    assert tables.to_markdown(found.run.table) == tables.to_markdown(again.run.table)
