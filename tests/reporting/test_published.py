"""Published results: packed runs come back as readers knew them."""

import html
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

import mirrorpo as mpo
from mirrorpo import files, runs, versions
from mirrorpo.cli import main
from mirrorpo.reporting.page import pictures, reading, render, run_rows
from mirrorpo.reporting.published import agents, store, unpacking
from mirrorpo.reporting.published.packing import ToPublish, pack
from mirrorpo.study import records
from tests.reporting.bench_folders import RESULTS, published
from tests.reporting.refused import run_report

ROOT = Path(__file__).parents[2]
TABLES = (store.AGENTS, store.CURVES, store.DOCUMENTS)


def shown(path):
    """The parts of a run's page, its row of the list of runs, and the page; without pictures, and
    without the command, which says where the run lies."""
    parts = reading.read([path])
    (folder,) = parts.folders
    row = run_rows.row(parts, folder)
    command = row.pop("command")
    page = render._filled(parts, "", [], [], {}, [])
    page = page.replace(html.escape(command), "COMMAND") if command else page
    return parts, row, re.sub(r"data:image/png;base64,[^\"]*", "", page)


def unpacked(results, name, to):
    folder = to / name
    unpacking.Results(results).unpack(name, folder)
    return folder


KINDS = (
    *("bench", "unfinished", "reviews", "align", "judge", "explain"),
    *("discover-noisy", "hopper-agents"),
)


@pytest.mark.parametrize("name", KINDS)
def test_a_packed_run_is_shown_as_before(name, written, results, tmp_path):
    before, after = shown(written / name), shown(unpacked(results, name, tmp_path))
    assert before[1:] == after[1:]
    for one, other in zip(before[0].benches, after[0].benches, strict=True):
        # Measures are in alphabetical order.
        pd.testing.assert_frame_equal(
            one.run.agents, other.run.agents, check_exact=True, check_like=True
        )
        assert repr(one.run.table) == repr(other.run.table)
        np.testing.assert_equal(dict(one.curves), dict(other.curves))
        assert (one.finished, one.stages) == (other.finished, other.stages)
        assert one.measured == other.measured
    for one, other in zip(before[0].searches, after[0].searches, strict=True):
        assert one.found.objective == other.found.objective
        assert (one.generations, one.validations) == (other.generations, other.validations)


def test_agents_are_the_same_and_final_ones_keep_their_drawn_curves(written, results, tmp_path):
    read = records.read(written / "bench" / runs.METRICS)
    again = records.read(unpacked(results, "bench", tmp_path) / runs.METRICS)
    assert [record for record, _ in read] == [record for record, _ in again]
    drawn = ("stage", "loss", "chosen_log_prob", "rejected_log_prob", "margin")
    for (record, curves), (_, kept) in zip(read, again, strict=True):
        wanted = {name: curves[name] for name in drawn} if record.phase == "final" else {}
        assert kept == wanted


def test_curves_only_looked_at_are_of_the_first_agents_of_each_cell(written):
    record, along = next(
        line for line in records.read(written / "bench" / runs.METRICS) if line[0].phase == "final"
    )
    many = [
        (replace(record, variant=variant, seed=seed), along)
        for seed in range(agents.DRAWN_PER_CELL + 2)
        for variant in ("base", "noisy:0.3")
    ]
    _, curves = agents.rows("one", many)
    assert [row["agent"] for row in curves] == list(range(len(many)))
    assert all("chosen_log_prob" in row for row in curves)
    looked_at = [row["agent"] for row in curves if "margin" in row]
    assert looked_at == list(range(2 * agents.DRAWN_PER_CELL))


def test_curves_are_published_to_four_digits_and_those_only_drawn_to_three():
    values = [-12.345678, None, 0.0, 2e-9]
    row = {"run": "one", "agent": 0, "loss": values, "margin": values, "chosen_log_prob": values}
    table = agents.curve_table([row])
    assert table["chosen_log_prob"].to_pylist() == [[-12.35, None, 0.0, 2e-9]]
    assert table["loss"].to_pylist() == table["margin"].to_pylist() == [[-12.3, None, 0.0, 2e-9]]


def test_returns_are_published_in_every_digit_and_their_standard_errors_to_four():
    numbers = {"return_mean": 701.8064575195312, "return_standard_error": 66.96871540324034}
    lost = {"return_mean": None, "return_standard_error": None}
    measured = {"measure.kl": 0.123456789, "measure.kl_standard_error": 0.0123456789}
    both = ({**numbers, **measured}, lost)
    table = agents.agent_table([{"run": "one", "agent": n, **of} for n, of in enumerate(both)], {})
    assert table["return_mean"].to_pylist() == [numbers["return_mean"], None]
    assert table["return_standard_error"].to_pylist() == [66.97, None]
    assert table["measure.kl"].to_pylist() == [0.123456789, None]
    assert table["measure.kl_standard_error"].to_pylist() == [0.01235, None]


def test_a_picture_keeps_every_pixel(written, results, tmp_path):
    after = unpacked(results, "explain", tmp_path)
    for name in ("gradient_map.png", "functions.png"):
        pixels = [np.asarray(Image.open(at / name)) for at in (written / "explain", after)]
        np.testing.assert_array_equal(*pixels)
        assert pictures.from_file(after / name)


def test_packing_one_after_the_other_or_twice_gives_the_same_bytes(written, results, tmp_path):
    out = tmp_path / "results"
    for path in sorted(written.iterdir(), reverse=True):
        pack([ToPublish(path, f"for {path.name}")], out)
    content = {path.name: path.read_bytes() for path in results.iterdir()}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == content
    stamps = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    pack([ToPublish(written / "bench")], out)  # for what it was for
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == stamps


def test_packing_what_was_unpacked_changes_nothing(results, tmp_path):
    out = tmp_path / "results"
    shutil.copytree(results, out)
    for name in ("bench", "explain", "reviews"):
        pack([ToPublish(unpacked(results, name, tmp_path))], out)
    for path in results.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_run_made_again_takes_the_place_of_the_old_one_and_a_dropped_one_is_gone(
    written, results, tmp_path
):
    out = tmp_path / "results"
    shutil.copytree(results, out)
    pack([ToPublish(written / "unfinished", "another", name="bench")], out, drop=["explain"])
    agents = pd.read_parquet(out / store.AGENTS)
    assert (agents.run == "bench").sum() == 5
    index = store.read_index(out)
    assert index["bench"].purpose == "another"
    assert "explain" not in index
    assert "explain" not in set(pd.read_parquet(out / store.DOCUMENTS).run)
    with pytest.raises(ValueError, match="holds no run 'explain' to drop"):
        pack([], out, drop=["explain"])


def test_runs_in_folders_of_a_run_are_runs_of_their_own(written, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(written / "bench", study / "one")
    shutil.copytree(written / "unfinished", study / "two")
    (study / "effects.csv").write_text("a,b\n1,2\n")
    out = tmp_path / "results"
    pack([ToPublish(study, "a study", command="python study.py")], out)
    index = store.read_index(out)
    assert [*index] == ["study", "study/one", "study/two"]
    assert (index["study"].kind, index["study/one"].kind) == ("other", "bench")
    assert index["study"].command == "python study.py"
    # A configuration says its ground; of the study's own files only who publishes it can.
    assert (index["study"].ground, index["study/one"].ground) == (None, "0.1.0")
    pack([ToPublish(study, ground="0.2.0")], out)
    pack([ToPublish(study)], out)
    index = store.read_index(out)
    assert (index["study"].ground, index["study/one"].ground) == ("0.2.0", "0.1.0")
    with unpacking.folders([out / "study", out / "study" / "two"]) as (whole, two):
        assert (whole / "effects.csv").read_text() == "a,b\n1,2\n"
        read = [records.read(path / runs.METRICS) for path in (whole / "two", two)]
        assert read[0] == read[1]
        assert len(read[0]) == 5


def test_settings_that_differ_are_columns_and_measures_too(results):
    agents = pd.read_parquet(results / store.AGENTS)
    assert set(agents.run) == {"bench", "unfinished", "reviews"}
    assert agents["settings.rows"].groupby(agents.run).nunique().max() <= 1
    assert agents["settings.rows"].nunique() > 1
    assert agents[agents.run == "reviews"]["measure.kl"].notna().any()
    assert agents[agents.run == "bench"]["measure.kl"].isna().all()


def test_a_run_without_a_purpose_and_a_folder_without_a_run_are_refused(written, tmp_path):
    with pytest.raises(ValueError, match="say what the run is for"):
        pack([ToPublish(written / "bench")], tmp_path / "results")
    with pytest.raises(ValueError, match="does not exist"):
        pack([ToPublish(tmp_path / "none", "x")], tmp_path / "results")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no run"):
        pack([ToPublish(tmp_path / "empty", "x")], tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_what_is_too_large_is_left_out_and_said(written, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(written / "judge", run)
    (run / "large.json").write_text("1" * 300_000)
    (run / "samples").mkdir()
    (run / "samples" / "some.jsonl").write_text("{}\n")
    said = []
    pack([ToPublish(run, "x")], tmp_path / "results", say=said.append)
    assert len(said) == 1
    assert "large.json is left out" in said[0]
    paths = set(pd.read_parquet(tmp_path / "results" / store.DOCUMENTS).path)
    assert not paths & {"large.json", "samples/some.jsonl"}
    assert "results.json" in paths


def test_recorded_commands_name_no_folder_of_the_machine(written, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(written / "bench", run)
    config = json.loads((run / runs.CONFIG).read_text())
    config["command"] = "mirrorpo bench --cache /tmp/pools --rows 9 --cache=/x --out /tmp/y/run"
    files.write_json(run / runs.CONFIG, config)
    pack([ToPublish(run, "x")], tmp_path / "results")
    wanted = "mirrorpo bench --rows 9 --out runs/run"
    assert store.read_index(tmp_path / "results")["run"].command == wanted
    again = json.loads(
        (unpacked(tmp_path / "results", "run", tmp_path / "u") / runs.CONFIG).read_text()
    )
    assert again == {**config, "command": wanted}


def test_a_run_records_its_command_without_the_cache(monkeypatch):
    words = ["bench", "--cache", "/a b", "--seeds", "2", "--cache=/c", "--out", "runs/x"]
    monkeypatch.setattr(sys, "argv", ["/venv/bin/mirrorpo", *words])
    assert versions.command_line() == "mirrorpo bench --seeds 2 --out runs/x"


def test_the_published_results_hold_what_their_index_says():
    index = store.read_index(RESULTS)
    assert len(index) > 60
    agents = pd.read_parquet(RESULTS / store.AGENTS)
    counts = agents.groupby("run").size().to_dict()
    assert {name: of.agents for name, of in index.items() if of.agents} == counts
    assert all(entry.purpose for entry in index.values())
    text = (RESULTS / store.INDEX).read_text("utf-8")
    assert "--cache" not in text
    assert "/tmp/" not in text
    documents = pd.read_parquet(RESULTS / store.DOCUMENTS)
    for content in documents[documents.path == runs.CONFIG].content:
        assert b"/tmp/" not in content
    names = {"hopper-table6": 693, "sentiment-smollm2": 72}
    assert {name: counts[name] for name in names} == names


@pytest.mark.parametrize("name", ["hopper-table6", "sentiment-smollm2", "discover-noisy"])
def test_a_published_run_is_packed_again_as_it_is(name, tmp_path):
    out = tmp_path / "results"
    entry = store.read_index(RESULTS)[name]
    pack([ToPublish(published(name), entry.purpose)], out, dated=lambda commit: entry.date)
    assert store.read_index(out) == {name: entry}
    for table in TABLES:
        kept, found = (store.load_table(at / table, pa.schema([])) for at in (RESULTS, out))
        wanted = kept.filter(pa.compute.equal(kept["run"], name))
        names = [one for one in found.column_names if not one.startswith(store.SETTING)]
        assert wanted.select(names).equals(found.select(names)), table
    again = tmp_path / "again" / name
    unpacking.Results(out).unpack(name, again)
    for path in published(name).rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(published(name))).read_bytes() == path.read_bytes()


def test_the_report_of_a_published_run_is_that_of_its_folder(results, written, monkeypatch):
    def without_explorer(parts, command, *others):
        return render._filled(parts, command, [], [], {}, [])

    monkeypatch.setattr(render, "render", without_explorer)
    pages, tables = [], []
    for at in (results, written):
        made = mpo.report(at / "bench", figures=False)
        assert made.shown == 1
        text = made.file.read_text("utf-8")
        assert f"mirrorpo report {at / 'bench'}" in text
        text = text.replace(str(at), "RUNS").replace(str(made.folder), "OUT")
        pages.append(re.sub(r"--out runs/[\w-]+", "--out RUN", text))
        found = sorted((made.folder / "tables").iterdir())
        tables.append({path.name: path.read_bytes() for path in found})
    assert pages[0] == pages[1]
    assert tables[0] == tables[1]


def test_the_command_reports_a_published_run_and_names_the_near_ones(results, tmp_path, capsys):
    main(["report", str(results / "bench"), "--out", str(tmp_path / "tables.md")])
    assert "| cpo |" in (tmp_path / "tables.md").read_text("utf-8")
    error = run_report(capsys, results / "bemch", "--out", tmp_path / "out")
    assert "holds no published run 'bemch'; near names: bench" in error
    assert "name one, such as" in run_report(capsys, results, "--out", tmp_path / "out")
    nowhere = tmp_path / "nowhere" / "results" / "bench"
    assert "does not exist" in run_report(capsys, nowhere, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unpacked_folders_are_gone_afterwards_and_given_ones_stay(results, written):
    with unpacking.folders([results / "bench", written / "judge"]) as found:
        assert found[0].name == "bench"
        assert found[1] == written / "judge"
        assert (found[0] / runs.CONFIG).is_file()
    assert not found[0].exists()
    assert (written / "judge" / runs.CONFIG).is_file()


def test_the_maintainer_s_command_publishes_unpacks_and_drops(
    written, tmp_path, capsys, monkeypatch
):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "hooks"))
    import publish

    out = str(tmp_path / "results")
    publish.main([str(written / "judge"), "--for", "a test", "--results", out])
    assert "holds 1 runs" in capsys.readouterr().out
    publish.main(["--unpack", "judge", "--to", str(tmp_path / "again"), "--results", out])
    assert (tmp_path / "again" / "results.json").is_file()
    publish.main(["--drop", "judge", "--results", out])
    assert store.read_index(tmp_path / "results") == {}
    with pytest.raises(SystemExit) as stop:
        publish.main([str(tmp_path / "none"), "--for", "x", "--results", out])
    assert stop.value.code == 2
    assert publish.date_of("0" * 40) is None
