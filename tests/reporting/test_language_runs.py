"""Runs on language models on the page: the bench on reviews, fine-tunings, judged answers."""

import json
import shlex

import numpy as np
import pytest

from mirrorpo.cli import main, parse
from mirrorpo.objectives.naming import split_list
from mirrorpo.reporting import export
from mirrorpo.reporting.page import chart_data, reading
from mirrorpo.reporting.page.commands import command_line
from mirrorpo.study.tables import NOT_RUN
from tests.reporting.language_folders import write_align, write_reviews

LOST = ("noisy:0.3", "dpo", 1)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return write_reviews(tmp_path_factory.mktemp("reviews") / "reviews", diverged=[LOST])


def test_each_kind_of_run_is_told_from_the_others(tmp_path, reviews):
    parts = reading.read([reviews, write_align(tmp_path / "align")])
    assert [folder.kind for folder in parts.folders] == ["bench", "align"]


def test_every_measure_of_reviews_stands_beside_its_standard_error(reviews):
    bench = reading.read([reviews]).benches[0]
    base, noisy = bench.measured
    agents = bench.final[(bench.final.variant == "base") & (bench.final.algorithm == "dpo")]
    shown = dict(base.rows)["dpo"]
    for index, (name, decimals) in enumerate((("return_mean", 1), ("win_rate", 1), ("kl", 2))):
        error = agents[name].std(ddof=1) / np.sqrt(3)
        assert shown[index] == f"{agents[name].mean():.{decimals}f} ± {error:.{decimals}f}"
    assert dict(base.rows)["worse: original"][:3] == ("2.0 ± 1.0", "50.0", "0.00")
    # One model that diverged leaves no number of its algorithm.
    assert dict(noisy.rows)["dpo"] == ("diverged 1/3", *[NOT_RUN] * 6)


def test_every_seed_of_reviews_is_a_point_and_its_curves_go_along_steps(reviews):
    parts = reading.read([reviews])
    document = chart_data.document(parts)["benches"][0]
    frame = parts.benches[0].final
    for cell in document["cells"]:
        rows = frame[(frame.algorithm == cell["algorithm"]) & (frame.variant == cell["variant"])]
        assert dict(map(tuple, cell["scores"])) == pytest.approx(
            dict(zip(rows.seed, rows.return_mean, strict=True)), abs=6e-4, nan_ok=True
        )
        assert {len(values) for values in cell["curves"].values()} == {12}
    # 60 steps are logged 12 times.
    assert (document["argument"], document["step"]) == ("optimiser step", 5)


def test_the_command_of_reviews_gives_its_settings_again(reviews):
    settings = json.loads((reviews / "config.json").read_text())["settings"]
    call = parse(shlex.split(command_line("bench", settings, reviews))[1:])
    again = (call.args[0] if call.args else call.keywords["settings"]).recorded
    again |= {name: split_list(again[name]) for name in ("variants", "algorithms")}
    assert json.loads(json.dumps(again)) == settings


def test_rewards_keep_a_digit_after_the_point_in_every_table(reviews, tmp_path, capsys):
    main(["report", str(reviews), "--out", str(tmp_path / "tables.md")])
    cell = reading.read([reviews]).benches[0].run.table.cells["dpo", "base"]
    text = f"{cell.summary.mean:.1f} ± {cell.summary.standard_error:.1f}"
    assert text in (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    latex = export.to_latex(reading.read([reviews]).benches[0].run.table, decimals=1)
    assert text.replace("±", r"\pm") in latex


def test_an_unfinished_fine_tuning_says_how_far_it_is(tmp_path):
    parts = reading.read([write_align(tmp_path / "run", finished=False)])
    training = parts.trainings[0]
    assert (training.finished, training.state) == (False, "unfinished: step 40")


@pytest.mark.slow  # other tests read folders as `write_judged` makes them
def test_a_real_judgement_is_read_with_what_it_does_not_show(tmp_path):
    for name in ("torch", "trl", "vaderSentiment", "sklearn"):
        pytest.importorskip(name)
    for name, word in (("mine", "lovely"), ("theirs", "awful")):
        rows = [
            {"instruction": f"{n}?", "output": f"{word} " * (1 + n % 3), "generator": name}
            for n in range(6)
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    files = [str(tmp_path / f"{name}.json") for name in ("mine", "theirs")]
    run = tmp_path / "run"
    main(["judge", files[0], "--baseline", files[1], "--out", str(run), "--cache", str(tmp_path)])
    parts = reading.read([run])
    assert dict(parts.judgements[0].rows)["win rate"] == "100.0 ± 0.0 % [100.0, 100.0]"
    results = parts.judgements[0].results
    assert results["what"].startswith("win rate of mine against theirs on 6 instructions")
    assert any("length-controlled win rate" in note for note in results["notes"])
    (run / "results.json").unlink()
    assert not reading.read([run]).judgements[0].finished
