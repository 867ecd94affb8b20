"""The bench on reviews, whole: prompts, samples, target, pool, agents, table."""

import json

import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import torch

from mirrorpo import objectives
from mirrorpo.cli import main
from mirrorpo.language.reviews.settings import ReviewSettings
from mirrorpo.objectives.user_text import UserText
from mirrorpo.reporting import comparison
from mirrorpo.study import sentiment, tables
from tests.language import tiny_reviews

MEASURES = ("kl", "distinct_1", "distinct_2", "tokens", "perplexity", "win_rate")


@pytest.fixture(autouse=True)
def offline_and_single_threaded(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_reviews.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def tiny(model, **changes):
    return ReviewSettings(
        **{
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
            "batch": 4,
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
    return out, *sentiment.run(tiny(model), out, cache=cache)


def test_the_chain_ends_with_one_row_an_agent_and_a_table(whole):
    out, log, sources = whole
    frame = pd.read_csv(out / "results.csv")
    assert len(frame) == 4
    assert set(frame.task) == {"sentiment"}
    assert not frame.diverged.any()
    for name in ("return_mean", "return_standard_error", *MEASURES):
        assert frame[name].notna().all()
    assert (frame.tokens <= 6).all()
    assert [source.label for source in sources] == ["better: target", "worse: original"]
    of_original = json.loads((out / "source_measures.json").read_text())["worse: original"]
    assert of_original["kl"] == 0
    assert (of_original["win_rate"], of_original["win_rate_standard_error"]) == (50, 0)
    table = tables.build(
        log.frame(), "sentiment", ("dpo[beta=1]", "ta-mpo"), ("base", "noisy:0.3"), sources
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
    again, _ = sentiment.run(tiny(model), tmp_path / "again", cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))


@pytest.mark.parametrize("stop_at", [0.0, 0.9, 1.5, 2.9])
def test_an_interrupted_run_goes_on_to_the_same_table(stop_at, whole, model, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, of, doing):
        if done >= stop_at:
            raise Killed

    out, cache = tmp_path / "cut", tmp_path / "cache"
    with pytest.raises(Killed):
        sentiment.run(tiny(model), out, kill, cache)
    # As a kill in the middle of a write leaves it.
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"agent": {"task": "senti')
    again, _ = sentiment.run(tiny(model), out, cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))


def test_a_finished_run_loads_no_model(whole, model, cache, monkeypatch):
    from mirrorpo.language import models

    def never(*args, **kwargs):
        raise AssertionError("loaded again")

    monkeypatch.setattr(models, "load", never)
    again, sources = sentiment.run(tiny(model), whole[0], cache=cache)
    pd.testing.assert_frame_equal(scores(again), scores(whole[1]))
    assert sources == whole[2]


def test_the_search_has_its_own_seeds_and_its_best_point_is_scored(model, cache, tmp_path):
    settings = tiny(
        model, variants=("base",), algorithms=("sft", "lpo"), search=True, keep_models=True
    )
    log, _ = sentiment.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    search, final = (frame[frame.phase == phase] for phase in ("search", "final"))
    assert set(search.algorithm) == {"lpo"}
    assert set(search.hyperparameters) > set(final.hyperparameters[final.algorithm == "lpo"])
    best = search.loc[search.return_mean.idxmax(), "hyperparameters"]
    assert final.set_index("algorithm").hyperparameters["lpo"] == best
    assert not set(search.seed) & set(final.seed)
    assert len(list((tmp_path / "run" / "agents").glob("*/adapter"))) == len(frame)


def test_a_diverged_agent_is_a_row_without_a_number(model, cache, tmp_path):
    settings = tiny(model, variants=("base",), algorithms=("sft",), learning_rate=1e38)
    log, _ = sentiment.run(settings, tmp_path / "run", cache=cache)
    frame = log.frame()
    assert frame.diverged.all()
    assert frame.return_mean.isna().all()
    (cell,) = sentiment.win_rates(frame, settings, tmp_path / "run").cells.values()
    assert cell.text("mean") == "diverged 1/1"


def test_the_report_reads_a_run(whole):
    found = comparison.read(whole[0])
    assert len(found.table.cells) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithms": ("dpoo",)}, "did you mean dpo"),
        ({"rows": 10_000}, "ask for 1 to 576"),
        ({"algorithms": ("dpo",), "steps": 1}, "steps must be at least 2"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(changes, message, model, tmp_path):
    with pytest.raises(ValueError, match=message):
        sentiment.run(tiny(model, **changes), tmp_path / "run", cache=tmp_path / "cache")
    assert not (tmp_path / "run").exists()


def test_the_command_prints_the_table_and_refuses_another_run(tmp_path, capsys):
    command = [
        *("sentiment", "--smoke", "--variants", "base", "--algorithms", "sft,lpo"),
        *("--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")),
    ]
    main(command)
    said = capsys.readouterr().out
    assert said.count("better: target") == 2
    assert "win rate against the original" in said
    assert "lpo" in said
    assert (tmp_path / "run" / "table.md").read_text().startswith("| algorithm | base |")
    with pytest.raises(SystemExit) as stop:
        main([*command, "--seed", "1"])
    assert stop.value.code == 2
    assert "holds a run with other settings (seed differ)" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["json", "py"])
def test_a_run_does_not_go_on_with_another_objective_of_the_same_name(suffix, model, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, of, doing):
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
        sentiment.run(settings, tmp_path / "run", kill, tmp_path / "cache")

    for _ in range(2):
        with pytest.raises(Killed):
            run(1.0)
    with pytest.raises(ValueError, match=r"another content of .*mine"):
        run(2.0)


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sentiment", "--model", str(tmp_path / "none"), "--out", str(tmp_path / "run")])
    assert stop.value.code == 2
    assert "cannot be loaded" in capsys.readouterr().err
