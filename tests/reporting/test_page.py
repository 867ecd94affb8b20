"""The page's content, without a browser: what is read, what is said of it, what is written."""

import base64
import dataclasses
import itertools
import json
import re
import shlex
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from mirrorpo import json_lines, objectives
from mirrorpo.cli import main, parse
from mirrorpo.discovery import artefact, shapes
from mirrorpo.discovery.gradient_map import gradient_map
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives.naming import split_list
from mirrorpo.reporting import export, export_figures, run_plots
from mirrorpo.reporting.page import benches, choices, explorer, folders, mathml, reading
from mirrorpo.reporting.page.commands import command_line
from mirrorpo.study import tuned
from mirrorpo.study.records import BenchLog
from tests.reporting.bench_folders import TABLE6, published, real_lines, write_bench
from tests.reporting.language_folders import write_align


def test_the_leaderboard_ranks_by_mean_and_stands_beside_the_paper(one_run):
    places = benches.places(reading.read(one_run).benches[0])
    assert len(places) == 18
    base = [place for place in places if place.variant == "base"]
    means = [place.cell.summary.mean for place in base]
    assert means == sorted(means, reverse=True)
    assert [place.rank for place in base] == [1, 2, 3, 4, 5, 6]
    assert base[0].algorithm == "cpo"
    assert base[0].paper == (2078, 12)
    # The paper has CPO first too, of the five algorithms that both have.
    assert base[0].ranks == (1, 1, 5)
    assert next(place for place in base if place.algorithm == "sft").ranks is None


def test_the_leaderboard_of_several_runs_is_by_variant_and_then_by_mean(many_runs, odd_runs):
    places = reading.read([*many_runs[:2], odd_runs[1]]).places
    variants = [place.variant for place in places]
    assert len([*itertools.groupby(variants)]) == 3
    for _, group in itertools.groupby(places, lambda place: place.variant):
        means = [place.cell.summary.mean for place in group]
        known = [mean for mean in means if np.isfinite(mean)]
        assert known == sorted(known, reverse=True)
        assert not np.isfinite(means[len(known) :]).any()


def test_a_diverged_agent_takes_the_rank_away_and_is_counted(odd_runs):
    parts = reading.read(odd_runs)
    bench = next(part for part in parts.benches if part.folder.name == "with-diverged")
    lost = [place for place in benches.places(bench) if place.cell.summary.diverged]
    assert [(place.rank, place.cell.text("mean")) for place in lost] == [(None, "diverged 1/5")]
    assert bench.diverged == 1
    # Its curves end where it diverged; the others' go on.
    place = lost[0]
    assert np.isfinite(bench.curves[place.variant, place.algorithm]["chosen_log_prob"]).all()


def test_agents_far_below_the_worse_source_do_not_press_the_others_together(one_run):
    assert reading.read(one_run).benches[0].shown_from("base") is None
    bench = reading.read([published("tla-tables")]).benches[0]
    low = bench.shown_from("base")
    scores = bench.final[bench.final.variant == "base"].return_mean
    assert (scores < low).sum() == 18  # of LPO and the two closed forms
    # The other agents and the two sources take up most of what is shown.
    assert scores[scores > low].max() - 1683 > 0.7 * (scores.max() - low)
    figure = run_plots.every_agent(bench)
    assert all(axis.get_xlim()[0] == bench.shown_from(axis.get_title()) for axis in figure.axes)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert words == {"◂ -11136 ± 892", "◂ -6677 ± 1133", "◂ -11650 ± 833"}


def test_a_training_of_a_source_agent_says_how_far_it_is(tmp_path):
    real = published("hopper-agents")
    config = json.loads((real / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    lines = (real / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines[:3]) + "\n")
    done = json.loads(lines[2])["environment_steps"]
    total = config["settings"]["settings"]["total_steps"]
    training = reading.read([tmp_path]).trainings[0]
    assert (training.finished, training.state) == (False, f"{done:,} of at most {total:,} steps")
    config["settings"]["settings"]["total_steps"] = done + 1
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert reading.read([tmp_path]).trainings[0].finished


def test_an_unfinished_run_is_read_and_not_written(odd_runs):
    path = odd_runs[0] / "metrics.jsonl"
    before = path.read_bytes()
    bench = reading.read([odd_runs[0]]).benches[0]
    assert not bench.finished
    assert (len(bench.final), bench.expected) == (40, 150)
    assert path.read_bytes() == before


def test_equal_folder_names_are_told_apart(tmp_path, one_run):
    for parent in ("first", "second"):
        (tmp_path / parent / "run").mkdir(parents=True)
        text = (TABLE6 / "config.json").read_text()
        (tmp_path / parent / "run" / "config.json").write_text(text)
    found = folders.read([tmp_path / "first" / "run", tmp_path / "second" / "run"])
    assert [folder.name for folder in found] == ["first/run", "second/run"]
    with pytest.raises(ValueError, match="named twice"):
        folders.read([TABLE6, TABLE6])


@pytest.mark.parametrize("ending", ["", ".html", ".md"])
def test_an_empty_folder_is_one_clear_line_and_code_2(tmp_path, capsys, ending):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SystemExit) as stop:
        main(["report", str(empty), "--out", str(tmp_path / f"out{ending}")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert str(empty) in error
    assert not (tmp_path / f"out{ending}").exists()


def test_a_run_s_command_gives_its_settings_again():
    settings = json.loads((TABLE6 / "config.json").read_text())["settings"]
    call = parse(shlex.split(command_line("bench", settings, TABLE6))[1:])
    again = dataclasses.asdict(call.args[0] if call.args else call.keywords["settings"])
    assert call.keywords["out"] == TABLE6
    again |= {name: split_list(again[name]) for name in ("variants", "algorithms")}
    given = {name: value for name, value in again.items() if value is not None}
    # The learner's start is the task's own, and no option. A run of an older version has settings
    # that are no more, and lacks those that came later.
    wanted = {k: v for k, v in settings.items() if v is not None and k in given and k != "start"}
    assert len(wanted) > 8
    assert {k: json.loads(json.dumps(given[k])) for k in wanted} == wanted


def test_a_recorded_command_is_shown_as_it_was_given(tmp_path):
    config = json.loads((TABLE6 / "config.json").read_text())
    given = "mirrorpo bench --seeds 25 --ray auto"
    (tmp_path / "config.json").write_text(json.dumps({**config, "command": given}))
    assert folders.read([tmp_path])[0].command == given


@pytest.mark.parametrize("against", [(), ("sft",)])
def test_a_search_s_cost_counts_variants_screening_and_losses_to_beat(tmp_path, against):
    settings = dataclasses.asdict(
        DiscoverySettings(
            variants=("base", "noisy:0.3"),
            screen_epochs=2,
            screen_keep=0.25,
            episodes=10,
            against=against,
        )
    )
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    lines = [{"generation": n, "fitness": [0.5] * 8, "diverged": 0} for n in range(3)]
    json_lines.write(tmp_path / "metrics.jsonl", lines)
    json_lines.write(tmp_path / "validation.jsonl", [{"seeds": 4, "diverged": 0}])
    found = reading.read([tmp_path]).searches[0]
    # Eight for a short time, two of them in full, the start and the centre; on two variants.
    each, validated = 8 + 2 + 2 + len(against), 4 * (1 + len(against))
    assert found.agents == 2 * (3 * each + validated)
    assert found.environment_steps == 2 * (3 * each * 10 + validated * 100) * 1000


def with_values(line, algorithm, values):
    """The same agent, of another algorithm and hyper-parameters."""
    changes = {"algorithm": algorithm, "hyperparameters": json.dumps(values)}
    return {**line, "agent": {**line["agent"], **changes}}


def test_the_maps_have_the_values_that_each_variant_chose(tmp_path):
    lines = [x for x in real_lines() if x["agent"]["algorithm"] == "dpo"]
    chosen = {"base": 7.0, "mixed-quality": 8.5, "noisy:0.1": 100.0}
    tuned_lines = [
        with_values(x, "dpo", {"beta": chosen[x["agent"]["variant"]]}) for x in lines
    ] + [with_values(x, "hopper-noisy", {}) for x in lines]
    run = write_bench(tmp_path / "run", tuned_lines, seeds=25)
    offered, compared = choices.offered(reading.read([run]))
    shown = {}
    for label, index, point in compared:
        grid = offered[index].grid
        combination = list(itertools.product(*grid.values()))[point]
        shown[label] = dict(zip(grid, combination, strict=True))
    assert shown == {
        "dpo beta=7.0": {"beta": 7.0},
        "dpo beta=8.5": {"beta": 8.5},
        "dpo beta=100.0": {"beta": 100.0},
        "hopper-noisy": {},
    }
    saved = next(choice for choice in offered if choice.label == "hopper-noisy")
    assert saved.objective == artefact.load("hopper-noisy").objective


def test_a_discovery_that_is_measured_from_its_file_is_offered_once(tmp_path):
    search = published("discover-noisy")
    own = str(search / "objective.safetensors")
    lines = [with_values(x, own, {}) for x in real_lines() if x["agent"]["algorithm"] == "dpo"]
    run = write_bench(tmp_path / "run", lines, seeds=25)
    offered, compared = choices.offered(reading.read([run, search]))
    assert [label for label, _, _ in compared] == ["found by discover-noisy"]
    assert own not in [choice.label for choice in offered]


def test_every_named_objective_is_in_the_explorer():
    offered = {choice.label for choice in explorer.zoo()}
    assert offered == set(objectives.available()) - {"closed-form", "closed-form-reference"}


def decoded(document, place):
    halves = np.frombuffer(base64.b64decode(document["values"]), "<f2")
    return halves[place["at"] : place["at"] + place["length"]].astype(float) * place["scale"]


@pytest.mark.parametrize("name", ["dpo", "orpo", "kto", "ta-mpo", "cell", "chipo"])
def test_the_explorer_s_values_are_the_objective_s_own(name):
    choice = explorer.of(name, objectives.get(name, aggregation="mean"))
    document = explorer.document([choice])
    (entry,) = document["objectives"]
    visited = Visited.grid(shapes.LOW, shapes.HIGH, needs_reference=entry["needs_reference"])
    for number in (0, len(entry["points"]) - 1):
        values = {
            field["name"]: field["values"][0 if number == 0 else -1] for field in entry["grid"]
        }
        objective = objectives.get(name, aggregation="mean", **values)
        for moment, progress in enumerate(entry["moments"]):
            found = gradient_map(
                objective,
                visited,
                progress,
                shapes.POINTS,
                (shapes.REFERENCE, shapes.REFERENCE),
            )
            _, chosen, rejected = entry["points"][number]["maps"][moment]
            for place, expected in ((chosen, found.chosen), (rejected, found.rejected)):
                np.testing.assert_allclose(
                    decoded(document, place).reshape(expected.shape),
                    expected,
                    rtol=1e-3,
                    atol=1e-7 * np.abs(expected).max(),
                )


def test_an_aligned_closed_form_becomes_well_formed_mathml():
    latex = (
        "\\begin{aligned}\n\\ell(\\tau_w) &= -\\bigl[ 2 \\, \\log \\sigma(d) \\bigr] \\\\\n"
        "d &= \\frac{1}{2} - x\n\\end{aligned}\n"
    )
    root = ElementTree.fromstring(mathml.from_latex(latex))
    space = "{http://www.w3.org/1998/Math/MathML}"
    rows = root.findall(f".//{space}mtr")
    assert [len(row.findall(f"{space}mtd")) for row in rows] == [2, 2]
    text = "".join(root.itertext())
    assert "&" not in text
    assert "\\" not in text
    assert root.find(f".//{space}mfrac") is not None


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory, odd_runs):
    out = tmp_path_factory.mktemp("report") / "out"
    main(["report", *map(str, odd_runs), "--out", str(out)])
    return out


def test_the_page_names_no_other_file(report_folder):
    text = (report_folder / "report.html").read_text(encoding="utf-8")
    assert len(text) < 10e6
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", markup)
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)


def test_tables_and_figures_are_written_in_every_form(report_folder):
    written = {str(path.relative_to(report_folder)) for path in report_folder.rglob("*.*")}
    for name in ("with-diverged", "unfinished"):
        for part in ("agents.png", "agents.svg", "curves.png", "curves.svg"):
            assert f"figures/{name}-{part}" in written
        for ending in ("csv", "tex", "md"):
            assert f"tables/{name}.{ending}" in written
        assert f"tables/{name}-beside-the-paper.tex" in written
    assert written >= {f"figures/gradient-maps.{ending}" for ending in ("png", "svg")}
    cost = pd.read_csv(report_folder / "tables" / "cost.csv").set_index("run")
    assert cost.loc["unfinished", "state"] == "unfinished: 40 of 150 agents"
    frame = pd.read_csv(report_folder / "tables" / export.RESULTS)
    row = frame[(frame.run == "unfinished") & (frame.algorithm == "sft")].iloc[0]
    expected = [
        line["agent"]["return_mean"]
        for line in real_lines()
        if line["agent"]["variant"] == "base" and line["agent"]["algorithm"] == "sft"
    ]
    assert row["mean"] == pytest.approx(np.mean(expected))


def test_a_search_and_a_training_are_exported_too(tmp_path):
    runs = [published("discover-noisy"), write_align(tmp_path / "aligned")]
    parts = reading.read(runs)
    export.write_tables(parts, tmp_path)
    assert list(export_figures.write(parts, tmp_path))
    for name in ("discover-noisy-fitness", "discover-noisy-gradient-map", "aligned-curves"):
        for ending in (".png", ".svg"):
            assert (tmp_path / f"{name}{ending}").stat().st_size > 5000
    rows = pd.read_csv(tmp_path / "discover-noisy-validation.csv")
    assert rows.score[0] == "0.290 ± 0.029"
    assert r"0 & start & 0.290 $\pm$ 0.029 & 4 & 0 \\" in (
        (tmp_path / "discover-noisy-validation.tex").read_text()
    )


def test_the_latex_table_is_in_the_paper_s_layout(one_run):
    text = export.to_latex(reading.read(one_run).benches[0].run.table)
    lines = [line for line in text.splitlines() if line.startswith(("orpo", "cpo"))]
    assert lines[0].startswith(r"cpo & $\mathbf{2013 \pm 4}$ & $\mathbf{1768 \pm 12}$")
    assert all(line.count("&") == 3 for line in lines)


def test_the_same_report_is_made_again_and_another_is_refused(report_folder, odd_runs, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["report", str(TABLE6), "--out", str(report_folder)])
    assert stop.value.code == 2
    assert "holds a run with other settings" in capsys.readouterr().err


def test_markdown_alone_is_written_as_before(tmp_path, capsys):
    main(["report", str(TABLE6), "--out", str(tmp_path / "tables.md")])
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert "| cpo | **2013 ± 4** |" in text
    assert "Interquartile mean" in text
    assert "standard error over the agents of a cell (25), all trained on one data draw" in text
    assert "base: cpo, the highest of 6 rows, is significantly better than orpo" in text
    assert "Spearman's rank correlation over 5 common algorithms: 0.50, 95 % interval" in text
    assert "3 of 4 pairs that both tell apart by two standard errors are ordered alike" in text
    assert [path.name for path in tmp_path.iterdir()] == ["tables.md"]


def test_a_log_is_read_the_same_whether_or_not_it_is_repaired(odd_runs, tmp_path):
    copy = tmp_path / "metrics.jsonl"
    copy.write_bytes((odd_runs[0] / "metrics.jsonl").read_bytes())
    bench = reading.read([odd_runs[0]]).benches[0]
    pd.testing.assert_frame_equal(BenchLog(copy).frame(), bench.run.agents)
    assert tuned.found(bench.run.agents).keys() == {"dpo"}
