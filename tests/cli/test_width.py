"""What the command line prints as a table fits a terminal of 80 columns."""

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

import mirrorpo as mpo
from mirrorpo import objectives
from mirrorpo.advising import advice, conditions, evidence_files, noise
from mirrorpo.agents import limb_use
from mirrorpo.cli import agents as agents_command
from mirrorpo.cli import main, terminal
from mirrorpo.discovery import artefact, listing
from mirrorpo.front.recommend import DatasetAdvice
from mirrorpo.front.submit import Verification
from mirrorpo.objectives import Paper
from mirrorpo.study.statistics import Summary
from mirrorpo.study.submissions import Comparison
from mirrorpo.study.tables import Cell, ResultTable, SourceAgent
from mirrorpo.study.terminal_table import TerminalTable

WIDTH = 80
VARIANTS = (
    *("base", "noisy:0.1", "noisy:0.3", "mixed-quality", "bad-judge:0.5"),
    *("mixed-quality+noisy:0.1", "noisy:0.2", "mixed-quality+noisy:0.25"),
)
LABELS = (
    "sft",
    "./examples/a/long/path/to/my_loss.py:SoftLPO[scale=2,beta=0.333]",
    "./examples/a/long/path/to/my_loss.py:SoftLPO[scale=3,beta=0.333]",
)


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr(terminal.console, "_width", WIDTH)


def too_wide(text):
    return [line for line in text.splitlines() if cell_len(line.rstrip()) > WIDTH]


def bench(variants):
    summary = Summary(25, 2, 0, 2049.0, 13.0, 2000.0, 1900.0, 2100.0)
    cell = Cell(summary, "{}", 0.0, 0.0, math.nan, math.nan, True, True)
    sources = (SourceAgent("better: hopper-expert", 2040.0, 44.0),)
    cells = {(label, variant): cell for label in LABELS for variant in variants}
    return ResultTable("hopper", LABELS, variants, sources, cells)


def test_the_zoo_has_one_line_per_loss_grouped_by_kind(capsys):
    main(["objectives"])
    text = capsys.readouterr().out
    assert not too_wide(text)
    lines = text.splitlines()
    for name in (*objectives.available(), *artefact.shipped()):
        assert len([line for line in lines if line.split(" ")[0] == name]) == 1, name
    kinds = [line.rstrip() for line in lines if line.rstrip() in listing.KINDS]
    assert tuple(kinds) == listing.KINDS
    assert "Xu et al. 2024" in text


def test_the_source_agents_fit_with_whole_names_and_numbers(capsys):
    main(["agents", "list"])
    text = capsys.readouterr().out
    assert not too_wide(text)
    rows = [line.split("│")[1:-1] for line in text.splitlines() if "│" in line]
    shown = {cell.strip(): [one.strip() for one in others] for cell, *others in rows}
    assert shown["walker2d-expert"] == ["walker2d", "3519 ± 61", "42.5", "0.29", "0.0 %"]
    assert shown["tla-target"][-1] == "1.8 %"


def test_a_long_title_and_long_names_continue_in_the_next_line(capsys):
    path = "a/folder/" + "name_" * 20 + ".safetensors"
    table = terminal.new_table("", "chosen", path, title=f"{path}: noisy:0.3 on hopper")
    table.add_row("true return, mean ± s.d.", "1791 ± 572", path)
    terminal.console.print(table)
    text = capsys.readouterr().out
    assert not too_wide(text)
    assert text.replace("\n", "").count(".safe") >= 1
    assert "…" not in text


def test_a_sentence_is_left_for_the_terminal_to_wrap(capsys):
    sentence = "runs/" + "long-" * 30 + " holds all."
    terminal.console.print(sentence)
    assert capsys.readouterr().out == f"{sentence}\n"


@pytest.mark.parametrize("variant", ["base", "mixed-quality+noisy:0.25", "bad-judge:1000"])
def test_submissions_and_their_verification_fit(variant, monkeypatch, tmp_path, capsys):
    numbers = (-11972.4, 1234.5, -11972.4, 1234.5, 0.0, 0.0, 8, 8)
    found = Verification([Comparison("halfcheetah", variant, *numbers)])
    monkeypatch.setattr(mpo, "verify", lambda *_, **__: found)
    main(["verify", "submission.json"])
    text = capsys.readouterr().out
    assert not too_wide(text)
    assert "-11972.4 ± 1234.5" in text
    assert "8 of 8" in text
    frame = pd.DataFrame(
        [("halfcheetah", variant, -11972.4, 1234.5, 8)],
        columns=["task", "variant", "mean", "standard_error", "agents"],
    )
    made = SimpleNamespace(
        table=frame,
        file=tmp_path / "submission.json",
        submission=SimpleNamespace(objective=LABELS[1], suite="1"),
    )
    monkeypatch.setattr(mpo, "submit", lambda *_, **__: made)
    main(["submit", "dpo"])
    table = [line for line in capsys.readouterr().out.splitlines() if "holds" not in line]
    assert not too_wide("\n".join(table))
    assert any("-11972 ± 1234" in line for line in table)


@pytest.mark.parametrize("agents", [1, 3, 7])
def test_limbs_of_many_agents_stand_in_several_tables(agents, capsys):
    use = limb_use.LimbUse(
        ("front left", "back right"),
        np.float32([6000.0, 6100.0]),
        np.int32([1000, 1000]),
        np.float32([[0.1, 0.2], [0.3, 0.4]]),
        np.float32([[1.0, 2.0], [3.0, 4.0]]),
    )
    uses = {f"runs/agents-tla-seed{seed}/step-27525120": use for seed in range(agents)}
    found = mpo.LimbComparison(uses, "back right", "mean |action| on tla " * 5)
    for table in agents_command.limb_tables(found):
        terminal.console.print(table)
    text = capsys.readouterr().out
    assert not too_wide(text)
    assert text.count("0.200 ± 0.100") == agents


@pytest.mark.parametrize("kind", ["texts", "trajectories"])
def test_what_is_recommended_fits_but_for_commands(kind, capsys):
    low, high = 0.11, 0.32
    samples = np.random.default_rng(0).uniform(low, high, 200)
    rate = noise.NoiseEstimate(0.2, low, high, samples, 0.3)
    facts = conditions.Conditions(kind, 1024, 1024, rate, 0.2, 0.7, 1.04, 0.0, None)
    evidence = {"Robots": evidence_files.robots()}
    if kind == "texts":
        evidence["A small language model"] = evidence_files.texts()
    ranked = {name: advice.recommend(facts, given) for name, given in evidence.items()}
    lines = DatasetAdvice(facts, ranked, ("A note of the reader. " * 8,)).lines
    assert not [line for line in lines if cell_len(line) > WIDTH and not line.startswith("    ")]
    rows = [line for line in lines if line.startswith("  1. ")]
    assert len(rows) == len(ranked)
    assert [line for line in lines if "mirrorpo " in line and line.startswith("    ")]


def test_an_objective_shown_alone_fits(capsys):
    main(["objectives", "--name", "dpo[beta=3]"])
    # The first line names its paper: a sentence, which the terminal wraps.
    _, *lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not too_wide("\n".join(lines))


@pytest.mark.parametrize("measure", ["mean", "iqm"])
@pytest.mark.parametrize("count", range(1, len(VARIANTS) + 1))
def test_a_bench_s_table_fits_with_whole_names_and_whole_numbers(count, measure, capsys):
    terminal.console.print(TerminalTable(bench(VARIANTS[:count]), measure=measure))
    text = capsys.readouterr().out
    assert not too_wide(text)
    assert "…" not in text
    number = "2049 ± 13" if measure == "mean" else "2000 [1900, 2100]"
    assert text.count(number) == count * len(LABELS)
    heads = [line for line in text.splitlines() if "algorithm" in line]
    assert [cell.strip() for line in heads for cell in line.split("┃")[2:-1]] == list(
        VARIANTS[:count]
    )


def test_a_wide_terminal_has_one_table():
    assert list(TerminalTable(bench(VARIANTS)).blocks(400)) == [VARIANTS]
    assert list(TerminalTable(bench(VARIANTS)).blocks(10)) == [(one,) for one in VARIANTS]


def test_programs_get_json(capsys):
    main(["objectives", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in found} == {*objectives.available(), *artefact.shipped()}
    dpo = next(entry for entry in found if entry["name"] == "dpo")
    assert dpo["values"] == {"beta": 0.1}
    assert dpo["paper"]["year"] == 2023
    assert dpo["needs_reference"] is True
    main(["objectives", "--name", "dpo[beta=3]", "--json"])
    assert json.loads(capsys.readouterr().out)["values"] == {"beta": 3.0}
    main(["objectives", "--name", "hopper-hinge", "--json"])
    assert json.loads(capsys.readouterr().out)["kind"] == "discovered"


def test_a_user_s_own_loss_is_shown_without_a_paper(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "from mirrorpo.objectives import Objective\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Mine(Objective):\n"
        "    name = 'without-a-paper'\n"
        "    def loss(self, batch, progress):\n"
        "        return batch.rejected - batch.chosen\n"
    )
    main(["objectives", "--name", f"{path}:Mine"])
    assert f"{path}:Mine: no paper" in capsys.readouterr().out
    main(["objectives", "--name", f"{path}:Mine", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["source"], found["paper"]) == ("no paper", None)


@pytest.mark.parametrize(
    ("authors", "short"),
    [
        ("Mitchell", "Mitchell 2024"),
        ("Gao and Alon", "Gao and Alon 2024"),
        ("Gao, Alon and Metzler", "Gao et al. 2024"),
        ("Lambert, Morrison and others", "Lambert et al. 2024"),
    ],
)
def test_a_paper_in_short(authors, short):
    paper = Paper("Title", authors, 2024, "0000.00000", "eq. (1)")
    assert paper.short == short
    assert dataclasses.asdict(paper)["authors"] == authors
