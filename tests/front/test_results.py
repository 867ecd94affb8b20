"""What the functions return: tables, agents, figures, files that are kept or go away."""

import gc
import io
import json
import math
import traceback
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import mirrorpo as mpo
from mirrorpo import objectives, runs
from mirrorpo.cli import main
from mirrorpo.study import bench as benches
from tests.front.conftest import SEARCH, SMALL

ROOT = Path(__file__).parents[2]


def is_drawn(figure):
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG"), "a notebook shows it"
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    return len(file.getvalue()) > 1000


def files_of_the_stack():
    """The package's files that are at work, the outermost first, each once."""
    source = Path(mpo.__file__).parent
    paths = [Path(frame.filename) for frame in traceback.extract_stack()]
    own = [path.relative_to(source).as_posix() for path in paths if source in path.parents]
    return list(dict.fromkeys(own))


@pytest.fixture(scope="module")
def walks():
    """The files at work at each call of a loss of the bench `result`."""
    return []


@pytest.fixture(scope="module")
def result(light_hopper, walks):
    kind = type(objectives.get("orpo"))
    whole = kind.terms

    def terms(self, batch, progress):
        walks.append(files_of_the_stack())
        return whole(self, batch, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "terms", terms)
        return mpo.bench(**SMALL)


@pytest.fixture(scope="module")
def found(light_hopper):
    return mpo.discover(**SEARCH)


@pytest.fixture(scope="module")
def dataset(light_hopper):
    return mpo.generate("hopper", variant="noisy:0.1", rows=64, episode_length=60)


def test_from_a_bench_to_its_gradient_step_are_at_most_ten_files(result, walks):
    step = "training/inner_loop.py"
    walk = next(files for files in walks if step in files)
    assert walk[0] == "front/bench.py", "cli/bench.py calls it"
    assert len(["cli/bench.py", *walk[: walk.index(step) + 1]]) <= 10, walk


def test_a_bench_gives_its_table_and_its_agents(result):
    assert isinstance(result.table, pd.DataFrame)
    assert result.table[["variant", "algorithm"]].to_numpy().tolist() == [
        [variant, name] for variant in ("base", "noisy:0.3") for name in ("sft", "orpo")
    ]
    assert len(result.agents) == 8
    first = result.agents[(result.agents.variant == "base") & (result.agents.algorithm == "sft")]
    assert result.table["mean"][0] == pytest.approx(first.return_mean.mean())
    assert result.diverged == 0
    assert [source.label for source in result.results.sources] == [
        "better: better",
        "worse: worse",
    ]


def test_a_bench_is_shown_in_a_notebook_and_as_a_picture(result):
    html = result._repr_html_()
    assert html.startswith("<table>")
    assert html.count("<tr>") == 1 + 2 + 2
    assert "<b>" in html
    assert "2 objectives, 2 variants, 8 agents" in repr(result)
    assert "| sft |" in str(result)
    assert is_drawn(result.plot())
    assert is_drawn(result.plot_curves())


def test_names_in_a_notebook_s_table_are_text():
    from mirrorpo.study import tables

    evil = "<script>alert(1)</script>"
    table = tables.ResultTable(evil, (evil,), (evil,), (), {})
    assert "<script" not in tables.to_html(table)


def test_a_temporary_run_lives_as_long_as_its_result(light_hopper):
    made = mpo.bench(**SMALL)
    folder = made.folder
    assert (folder / runs.METRICS).is_file()
    del made
    gc.collect()
    assert not folder.exists()


def test_nothing_is_left_in_the_current_folder(light_hopper, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpo.bench(**SMALL)
    mpo.explain("cpo", max_terms=1)
    assert list(tmp_path.iterdir()) == []


def test_a_saved_bench_is_a_run_that_is_loaded_and_reported(result, tmp_path):
    folder = result.save(tmp_path / "kept")
    again = mpo.BenchResult.load(folder)
    pd.testing.assert_frame_equal(again.table, result.table)
    pd.testing.assert_frame_equal(again.agents, result.agents)
    assert again.settings == result.settings
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    with pytest.raises(ValueError, match="nothing is overwritten"):
        result.save(folder)
    with pytest.raises(ValueError, match="does not exist"):
        mpo.BenchResult.load(tmp_path / "absent")


def test_a_named_folder_is_resumed_and_the_command_line_s_table_is_the_same(
    result, light_hopper, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    calls = []
    whole = benches.files.write_atomically

    def stopped(path, write):
        calls.append(path.name)
        if path.name == "results.parquet" and calls.count(path.name) == 1:
            raise KeyboardInterrupt
        whole(path, write)

    monkeypatch.setattr(benches.files, "write_atomically", stopped)
    with pytest.raises(KeyboardInterrupt):
        mpo.bench(**SMALL, out=out)
    log = (out / runs.METRICS).read_text()
    resumed = mpo.bench(**SMALL, out=out)
    assert (out / runs.METRICS).read_text() == log, "no agent is trained twice"
    columns = ["variant", "algorithm", "mean", "standard_error", "hyperparameters"]
    pd.testing.assert_frame_equal(resumed.table[columns], result.table[columns])
    words = [
        *("bench", "--variants", "base,noisy:0.3", "--algorithms", "sft,orpo", "--seeds", "2"),
        *("--rows", "16", "--epochs", "6", "--time-steps", "4", "--episodes", "3"),
        *("--data-draws", "1", "--allow-short", "--out", str(out)),
    ]
    main(words)
    assert (out / runs.METRICS).read_text() == log, "the command continues the function's run"
    assert (out / "table.md").is_file()
    assert pd.read_csv(out / "summary.csv").algorithm.tolist() == ["sft", "orpo"] * 2


def test_a_mistake_leaves_no_folder(light_hopper, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ValueError, match="Did you mean dpo"):
        mpo.bench(**{**SMALL, "algorithms": "dpoo"}, out=out)
    with pytest.raises(ValueError, match="max_terms must be at least 1"):
        mpo.explain("cpo", max_terms=0, out=out)
    assert not out.exists()


@pytest.mark.slow
def test_a_discovery_has_an_objective_and_a_history(found, light_hopper):
    assert isinstance(found, mpo.DiscoveryResult)
    assert isinstance(found.objective, objectives.Objective)
    assert found.history.generation.tolist() == [0, 1]
    assert {"fitness_mean", "best_validation"} <= set(found.history)
    assert set(found.validations.candidate) >= {"start", "mean"}
    assert found.validations.standard_error.dtype == float
    assert is_drawn(found.plot())
    assert "validation score" in str(found)
    measured = mpo.bench(**{**SMALL, "algorithms": ["orpo", found.file], "variants": "base"})
    assert set(measured.table.algorithm) == {"orpo", str(found.file)}


@pytest.mark.slow
def test_a_saved_discovery_is_loaded(found, tmp_path):
    again = mpo.DiscoveryResult.load(found.save(tmp_path / "kept"))
    pairs = objectives.PairLogProbs(np.array([-1.0]), np.array([-2.0]))
    assert again.objective(pairs) == pytest.approx(found.objective(pairs))
    pd.testing.assert_frame_equal(again.history, found.history)
    with pytest.raises(ValueError, match="not a folder of `mirrorpo discover`"):
        mpo.DiscoveryResult.load(_explained(tmp_path))


def _explained(folder):
    mpo.explain("cpo", max_terms=1, out=folder / "explained")
    return folder / "explained"


def test_an_explanation_has_a_formula_an_error_and_pictures(tmp_path):
    about = mpo.explain("cpo[beta=0.1]")
    assert about.formula.startswith("loss = -[x + log sigmoid(0.1 d)]")
    assert about.error < 1e-4
    assert about.closed_form.terms == "x; log sigmoid(0.1 d)"
    assert about.folder is None
    assert is_drawn(about.plot())
    assert is_drawn(about.plot_functions())
    with pytest.raises(ValueError, match="not a member of the mirror family"):
        mpo.explain("bco[beta=1]", max_terms=1).plot_functions()


def test_an_objective_itself_is_explained_like_its_name():
    loss = mpo.objective("cpo", aggregation="mean")
    assert mpo.explain(loss).formula == mpo.explain("cpo").formula


def test_trained_agents_have_returns_curves_and_files(dataset, light_hopper, tmp_path):
    made = mpo.train("orpo", dataset, seeds=2, epochs=6, time_steps=4, episodes=3)
    assert made.table.seed.tolist() == [0, 1]
    assert np.isfinite(made.table.return_mean).all()
    assert len(made.curves) == 12
    assert [file.stem for file in made.files] == ["seed-0", "seed-1"]
    assert made.diverged == ()
    assert is_drawn(made.plot())
    assert "<table" in made._repr_html_()
    assert (made.save(tmp_path / "kept") / "results.json").is_file()


def test_one_episode_has_no_error_in_python_and_null_in_its_file(dataset, light_hopper, tmp_path):
    out = tmp_path / "run"
    options = {"epochs": 2, "time_steps": 4, "episodes": 1, "out": out}
    first, again = (mpo.train("sft", dataset, **options) for _ in range(2))
    assert json.loads((out / "results.json").read_text())[0]["return_standard_error"] is None
    for made in (first, again):
        assert math.isnan(made.agents[0].return_standard_error)


def test_a_recommendation_has_facts_a_ranking_and_words(dataset, tmp_path):
    advice = mpo.recommend(dataset)
    assert advice.facts.pairs == 64
    robots = advice.recommendations["Robots"].ranking
    assert advice.table.algorithm.tolist() == [item.algorithm for item in robots]
    assert advice.table.best.sum() == pytest.approx(1.0)
    assert math.isfinite(advice.facts.noise.rate)
    assert "64 pairs of trajectories" in str(advice)
    assert "<table" in advice._repr_html_()
    main(["recommend", str(dataset.file), "--out", str(tmp_path / "by-command.json")])
    advice.save(tmp_path / "by-function.json")
    told = [(tmp_path / f"by-{name}.json").read_text() for name in ("command", "function")]
    assert told[0] == told[1]


def test_a_report_shows_results_as_it_shows_folders(result, tmp_path):
    tables = mpo.report(result, out=tmp_path / "tables.md")
    assert "| sft |" in tables.file.read_text()
    again = mpo.report(result.folder, out=tmp_path / "again.md")
    assert again.file.read_text() == tables.file.read_text()
    with pytest.raises(ValueError, match="is one file"):
        tables.save(tmp_path / "other")
    with pytest.raises(ValueError, match="Name at least one run folder"):
        mpo.report()


@pytest.mark.slow
def test_a_report_s_page_is_shown_and_saved(result, found, tmp_path):
    made = mpo.report(result, found.folder, figures=False)
    page = made.file.read_text(encoding="utf-8")
    assert made.shown == 2
    assert found.folder.name in page
    assert "<iframe" in made._repr_html_()
    assert (made.save(tmp_path / "kept") / "tables").is_dir()


def test_a_judgement_of_two_files_of_answers(tmp_path):
    pytest.importorskip("vaderSentiment", reason="the extra llm is not installed")
    import json

    asked = [f"How was film {number}?" for number in range(6)]
    for name, words in (("good", "Wonderful, a joy."), ("bad", "Terrible, a bore.")):
        rows = [{"instruction": text, "output": words, "generator": name} for text in asked]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    judged = mpo.judge(
        tmp_path / "good.json", baseline=tmp_path / "bad.json", cache=tmp_path / "cache"
    )
    assert judged.win_rate["value"] == 100.0
    assert judged.table.preference.tolist() == [1.0] * 6
    assert "win rate: 100.0" in str(judged)
    alone = mpo.judge(tmp_path / "good.json")
    assert alone.win_rate is None
    assert [answer.instruction for answer in alone.answers] == asked


@pytest.mark.slow
def test_a_recipe_s_smoke_run_gives_a_model(tmp_path):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    from pathlib import Path

    recipes = sorted((Path(__file__).parents[2] / "recipes").glob("**/*.yaml"))
    recipe = next(path for path in recipes if "objective:" in path.read_text())
    steps = []
    made = mpo.align(recipe, smoke=True, progress=lambda done, of, doing: steps.append(done))
    assert (made.model / "tokenizer_config.json").is_file()
    assert not made.diverged
    assert steps
    assert is_drawn(made.plot())


def test_published_runs_are_loaded_by_their_names():
    result = mpo.BenchResult.load(ROOT / "results" / "leaderboard-hopper-noisy")
    assert len(result.agents) == 1218
    assert "gated[weight=1,lower=0.5]" in set(result.table["algorithm"])
    folder = result.folder
    del result
    gc.collect()
    assert not folder.exists()
    found = mpo.DiscoveryResult.load(ROOT / "results" / "discover-gated")
    assert found.objective.name == "gated"
    with pytest.raises(ValueError, match="near names: leaderboard-hopper"):
        mpo.BenchResult.load(ROOT / "results" / "leaderboard-hoper-noisy")
