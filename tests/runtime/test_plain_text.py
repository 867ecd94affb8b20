"""Text from outside stays text: in tables for spreadsheets, in Markdown, in figures, in names."""

import csv

import pandas as pd
import pytest

from mirrorpo import files, runs
from mirrorpo.plain_text import in_csv, in_figure, in_markdown, visible, write_csv

HOSTILE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_csv_is_a_formula(tmp_path, text):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"algorithm": [text, "dpo"], text: [1.5, -2.0]}))
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    for cell in (rows[0][1], rows[1][0]):
        assert cell == (f"'{text}" if "\r" not in text else "\ufffd=1")
    assert [row[1] for row in rows[1:]] == ["1.5", "-2.0"]


@pytest.mark.parametrize(
    "text", ["-0.3", "-11136 ± 892", "-5 [-7, -3]", "-2.5 %", "dpo", "-1e-05", "\N{EN DASH}"]
)
def test_numbers_and_names_stay_as_they_are(text):
    assert in_csv(text) == text


def test_a_cell_of_markdown_is_one_cell_without_html_or_links():
    assert in_markdown("a|b<script>x</script>\n| c") == "a\\|b&lt;script&gt;x&lt;/script&gt; \\| c"
    assert "](" not in in_markdown("[x](javascript:alert(1))")
    assert in_markdown("ta-mpo[schedule=linear]") == "ta-mpo[schedule=linear]"


def test_a_figure_s_dollar_begins_no_formula():
    assert in_figure(r"$\frac{$") == r"\$\frac{\$"


def test_control_characters_are_shown_and_not_obeyed():
    assert visible("a\x1b[31mb\u202ec\x07") == "a\ufffd[31mb\ufffdc\ufffd"


@pytest.mark.parametrize("name", ["1/../../../../x", "..", "/etc/passwd", "a" * 5000, "x\x00y", ""])
def test_a_default_folder_is_within_runs_whatever_a_name_holds(name):
    folder = runs.default_out("align", name)
    assert folder.parts[0] == "runs"
    assert len(folder.parts) == 2
    assert folder.parts[1] != ".."
    assert len(folder.parts[1].encode()) < 200


def test_long_names_that_differ_at_their_end_stay_apart():
    assert files.file_name("x" * 300 + "1") != files.file_name("x" * 300 + "2")
