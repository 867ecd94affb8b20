"""What the command line prints as a table fits a terminal of 80 columns."""

import dataclasses
import json
import math

import pytest
from rich.cells import cell_len

from mirrorpo import objectives
from mirrorpo.cli import main, terminal
from mirrorpo.discovery import artefact, listing
from mirrorpo.objectives import Paper
from mirrorpo.study.statistics import Summary
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


@pytest.mark.parametrize("words", [["agents", "list"], ["objectives", "--name", "closed-form"]])
def test_lists_fit(words, capsys):
    main(words)
    text = capsys.readouterr().out
    assert text
    # A sentence may be longer than a line; a table may not.
    assert not [line for line in too_wide(text) if not line[:1].isalpha() and "│" in line]


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
