"""Published results that are damaged or mean harm: one line, and nothing outside their folder."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mirrorpo import runs
from mirrorpo.reporting.published import store
from tests.reporting.refused import run_report

TABLES = (store.AGENTS, store.CURVES, store.DOCUMENTS)


def copied(results, tmp_path):
    out = tmp_path / "damaged"
    shutil.copytree(results, out)
    return out


@pytest.mark.parametrize("name", [*TABLES, store.INDEX])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other", "flipped"])
def test_a_damaged_file_is_one_line(name, damage, results, tmp_path, capsys):
    out = copied(results, tmp_path)
    path = out / name
    content = path.read_bytes()
    middle = len(content) // 2
    new = {
        "empty": b"",
        "cut": content[:-20],
        "other": b"[]",
        "flipped": content[:middle]
        + bytes(255 - b for b in content[middle:][:64])
        + content[middle + 64 :],
    }
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(new[damage])
    run_report(capsys, out / "bench", "--out", tmp_path / "out")


def changed(path, **columns):
    """The table with other values in the first row."""
    table = pq.read_table(path)
    for name, value in columns.items():
        at = table.column_names.index(name)
        values = [value, *table.column(name).to_pylist()[1:]]
        table = table.set_column(
            at, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    pq.write_table(table, path)


@pytest.mark.parametrize(
    "evil",
    [
        "../x",
        "a/../../x",
        "/tmp/x",
        "C:\\x",
        "a\\..\\x",
        "",
        ".",
        "a//b",
        ".hidden",
        "nul\x00l",
        "x/..",
    ],
)
@pytest.mark.parametrize("column", ["path", "run"])
def test_a_hostile_name_is_one_line_and_nothing_is_written_outside(
    evil, column, results, tmp_path, capsys
):
    out = copied(results, tmp_path)
    rows = pq.read_table(out / store.DOCUMENTS).to_pylist()
    row = {**next(row for row in rows if row["run"] == "bench"), "form": "bytes", "content": b"x"}
    rows.append({**row, column: evil})
    pq.write_table(pa.Table.from_pylist(rows, store.DOCUMENT_COLUMNS), out / store.DOCUMENTS)
    if column == "run":
        index = json.loads((out / store.INDEX).read_text())
        index["runs"][evil] = index["runs"]["bench"]
        (out / store.INDEX).write_text(json.dumps(index))
    before = set(tmp_path.rglob("*"))
    error = run_report(capsys, out / "bench", "--out", tmp_path / "out")
    assert "is damaged: it names" in error
    assert set(tmp_path.rglob("*")) == before


def test_a_file_named_twice_or_within_a_file_is_one_line(results, tmp_path, capsys):
    for path in (runs.CONFIG, f"{runs.CONFIG}/x"):
        out = copied(results, tmp_path / path.replace("/", "-"))
        rows = pq.read_table(out / store.DOCUMENTS).to_pylist()
        rows.append({"run": "bench", "path": path, "form": "bytes", "content": b"{}"})
        pq.write_table(pa.Table.from_pylist(rows, store.DOCUMENT_COLUMNS), out / store.DOCUMENTS)
        assert "names" in run_report(capsys, out / "bench", "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (store.AGENTS, "seed", None),
        (store.AGENTS, "phase", None),
        (store.DOCUMENTS, "form", "zip"),
        (store.DOCUMENTS, "form", None),
    ],
)
def test_values_of_another_kind_are_one_line(table, column, value, results, tmp_path, capsys):
    out = copied(results, tmp_path)
    changed(out / table, **{column: value})
    (first,) = pq.read_table(out / table).slice(0, 1).to_pylist()
    run_report(capsys, out / first["run"], "--out", tmp_path / "out")


def test_a_column_that_is_missing_or_of_another_type_is_one_line(results, tmp_path, capsys):
    for number, change in enumerate(
        (
            lambda table: table.drop_columns(["seed"]),
            lambda table: table.set_column(
                table.column_names.index("seed"),
                "seed",
                pa.array([str(x) for x in table["seed"].to_pylist()]),
            ),
        )
    ):
        out = copied(results, tmp_path / str(number))
        pq.write_table(change(pq.read_table(out / store.AGENTS)), out / store.AGENTS)
        assert "seed" in run_report(capsys, out / "bench", "--out", tmp_path / "out")


def test_a_table_that_unpacks_to_too_much_is_refused(results, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mirrorpo.bounded.LOG", 1000)
    assert "the most that is read" in run_report(capsys, results / "bench", "--out", tmp_path / "o")


def test_an_index_of_a_newer_version_says_so(results, tmp_path, capsys):
    out = copied(results, tmp_path)
    index = json.loads((out / store.INDEX).read_text())
    (out / store.INDEX).write_text(json.dumps({**index, "format_version": 9}))
    assert "newer MirrorPO" in run_report(capsys, out / "bench", "--out", tmp_path / "out")
