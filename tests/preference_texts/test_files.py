"""Files and folders of rows: what each form holds, every row with its place."""

import csv
import gzip
import io
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mirrorpo.preference_texts import formats, reading
from mirrorpo.preference_texts.folders import DatasetSplit

ODD = "a\u2028b\u0085c\u2029d\x0be\x1cf \U0001f600 \u00e9 'x' \"y\" [/INST]"
ROWS = [
    {"prompt": f"question {n}", "chosen": f"good {n}\n{ODD}", "rejected": f"bad {n}, {ODD}"}
    for n in range(7)
]
LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]


def said(path, *arguments, **named):
    """The one line of a refusal."""
    with pytest.raises(ValueError) as caught:
        reading.read(path, *arguments, **named)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def plain(texts):
    return [
        {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected} for row in texts.rows
    ]


def as_csv(delimiter):
    written = io.StringIO(newline="")
    lines = csv.DictWriter(written, ROWS[0], delimiter=delimiter)
    lines.writeheader()
    lines.writerows(ROWS)
    return written.getvalue().encode()


def as_arrow(kind):
    table = pa.Table.from_pylist(ROWS)
    sink = pa.BufferOutputStream()
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with new(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.getvalue().to_pybytes()


WRITTEN = {
    "a.jsonl": "\n".join(LINES).encode(),
    "end.jsonl": "".join(f"{line}\n" for line in LINES).encode(),
    "windows.jsonl": "".join(f"{line}\r\n" for line in LINES).encode("utf-8-sig"),
    "blank.jsonl": ("\n\n" + "\n \n".join(LINES) + "\n\n").encode(),
    "escaped.ndjson": "\n".join(map(json.dumps, ROWS)).encode(),
    "list.json": json.dumps(ROWS, indent=2).encode("utf-8-sig"),
    "list.jsonl": json.dumps(ROWS).encode(),
    "lines.json": "\n".join(LINES).encode(),
    "a.jsonl.gz": gzip.compress("\n".join(LINES).encode()),
    "A.JSON.GZ": gzip.compress(json.dumps(ROWS).encode()),
    "a.csv": as_csv(","),
    "marked.Csv": b"\xef\xbb\xbf" + as_csv(","),
    "a.tsv": as_csv("\t"),
    "a.csv.gz": gzip.compress(as_csv(",")),
    "a.parquet": as_arrow("parquet"),
    "A.PARQUET": as_arrow("parquet"),
    "stream.arrow": as_arrow("stream"),
    "file.arrow": as_arrow("file"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_form_gives_the_same_rows_back(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(WRITTEN[name])
    found = reading.read(path)
    assert plain(found) == ROWS
    assert [row.place.row for row in found.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert found.notes == ()


def test_lines_are_those_of_an_editor(tmp_path):
    lines, table = tmp_path / "blank.jsonl", tmp_path / "a.csv"
    lines.write_text(
        "\n" + LINES[0] + "\n\n\n" + '{"prompt": "a", "chosen": null, "rejected": "b"}'
    )
    assert said(lines).startswith(f"{lines}, row 2 (line 5): chosen is null")
    table.write_text('prompt,chosen,rejected\n"a\nb",c,d\n\ne,f,\n')
    assert said(table).startswith(f"{table}, row 2 (line 5): rejected is null")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"prompt": "a"', "line 1, column 15: cannot be read as JSON"),
        (
            "a.jsonl",
            LINES[0].encode() + b"\nnot json\n",
            "line 2, column 1: cannot be read as JSON",
        ),
        ("a.json", b'[\n{"prompt": 1},\n{"prompt" 2}]', "line 3, column 11: cannot be read as"),
        ("a.jsonl", b'{"chosen": "a", "chosen": "b"}', "line 1: the key 'chosen' is there twice"),
        ("a.jsonl", b'["a", "b"]\n["c", "d"]\n', "row 1 is a list of 2: a row is an object"),
        ("a.jsonl", b"[" * 100_000, "line 1: too many lists inside one another"),
        ("a.jsonl", b'{"prompt": ' + b"1" * 5000 + b"}", "line 1: Exceeds the limit"),
        ("a.jsonl", b'{"prompt": "caf\xe9"}', "line 1: the byte 0xe9 is not UTF-8"),
        ("a.jsonl", "{}".encode("utf-16"), "is written in UTF-16: save it as UTF-8"),
        ("a.jsonl.gz", gzip.compress(b"{}" * 99)[:-9], "cannot be unpacked"),
        ("a.jsonl.gz", b"{}", "cannot be unpacked"),
        ("a.csv", b"prompt,chosen,rejected\na,b\n", "row 1 (line 2) has 2 values, but the header"),
        ("a.csv", b"prompt,chosen,chosen\na,b,c\n", "has two columns of the name chosen"),
        ("a.csv", b'prompt,chosen,rejected\n"a"b,c,d\n', "line 2: this is not CSV"),
        (
            "a.csv",
            b"prompt,chosen,rejected\na,\"[{'role': 'assistant', 'content': 'b'}]\",c\n",
            "row 1 (line 2): chosen holds messages as a text that is not JSON",
        ),
        ("a.parquet", b"PAR1 and no more", "cannot be read as .parquet"),
        ("a.arrow", b"not arrow", "cannot be read as .arrow"),
        ("a.txt", b"", ".txt, which is not read: name a file of .jsonl"),
        ("a", b"", "no ending, which is not read"),
        ("a.pkl.gz", b"", ".pkl.gz, which is not read"),
        ("a.jsonl", b"", "has no rows: it holds no pairs"),
        ("a.json", b"[]", "has no rows: it holds no pairs"),
        ("a.csv", b"prompt,chosen,rejected\n", "has no rows: it holds no pairs"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    found = said(path)
    assert message in found
    assert str(path) in found


def test_a_cell_longer_than_csv_usually_takes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"prompt,chosen,rejected\na,{'b' * 200_000},c\n")
    assert len(reading.read(path).rows[0].chosen) == 200_000
    assert csv.field_size_limit() == 131_072, "other readers keep their limit"


def test_a_folder_that_may_not_be_read_is_one_line(tmp_path):
    assert said(tmp_path / "none").endswith("none: it does not exist.")
    (tmp_path / "a.jsonl").mkdir()
    assert "holds no rows" in said(tmp_path / "a.jsonl")


def written(folder, name, rows):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))


@pytest.mark.parametrize(
    "names",
    [
        (
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "data/test.parquet",
        ),
        ("train_1.jsonl", "train_2.jsonl", "test.jsonl"),
        ("train/a.jsonl", "train/b.jsonl", "test/a.jsonl"),
        ("data-1.jsonl", "data-2.jsonl", "eval.jsonl"),
    ],
)
def test_splits_of_a_folder(names, tmp_path):
    for name, rows in zip(names, (ROWS[:3], ROWS[3:5], ROWS[5:]), strict=True):
        written(tmp_path, name, rows)
    (tmp_path / "README.md").write_text("---\nconfigs: []\n---\n")
    (tmp_path / "dataset_infos.json").write_text("{}")
    written(tmp_path, ".cache/train.jsonl", ROWS)
    train = reading.read(tmp_path, "train")
    assert plain(train) == ROWS[:5]
    assert train.rows[3].place.row == 1, "counted in its own file"
    label = "train" if "train" in names[0] else "train (data-1.jsonl, data-2.jsonl)"
    other = "eval" if "eval" in names[2] else "test"
    assert train.notes == (f"{tmp_path}: read its split {label}, and not {other}.",)
    assert plain(reading.read(tmp_path)) == ROWS[:5]
    assert plain(reading.read(tmp_path, "test")) == ROWS[5:]
    assert plain(reading.read(tmp_path, "train[1:-1]")) == ROWS[1:4]
    assert "has no split validation: name one of" in said(tmp_path, "validation")


@pytest.mark.parametrize("splits", [True, False])
def test_folders_that_datasets_saved(splits, tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list(ROWS)
    if splits:
        both = {"train": whole.select(range(5)), "test": whole.select(range(5, 7))}
        datasets.DatasetDict(both).save_to_disk(tmp_path / "saved")
        assert plain(reading.read(tmp_path / "saved", "test")) == ROWS[5:]
        assert plain(reading.read(tmp_path / "saved")) == ROWS[:5]
    else:
        whole.save_to_disk(tmp_path / "saved", num_shards=3)
        assert plain(reading.read(tmp_path / "saved", "train")) == ROWS
        assert "has no split test: name one of train" in said(tmp_path / "saved", "test")


def test_a_folder_that_may_hold_the_same_rows_twice_or_several_datasets_is_refused(tmp_path):
    written(tmp_path / "twice", "pairs.jsonl", ROWS)
    written(tmp_path / "twice", "pairs.parquet", ROWS)
    assert "holds train as .jsonl and .parquet" in said(tmp_path / "twice")
    written(tmp_path / "configs", "one/train.jsonl", ROWS)
    written(tmp_path / "configs", "two/train.jsonl", ROWS)
    assert "holds several datasets with a split train" in said(tmp_path / "configs")
    written(tmp_path / "stages", "train_sft.jsonl", ROWS)
    written(tmp_path / "stages", "train_prefs.jsonl", ROWS[:2])
    assert "name one of train_prefs, train_sft" in said(tmp_path / "stages", "train")
    assert plain(reading.read(tmp_path / "stages", "train_prefs")) == ROWS[:2]


def test_a_file_is_its_one_split(tmp_path):
    written(tmp_path, "test.jsonl", ROWS)
    assert plain(reading.read(tmp_path / "test.jsonl", "train")) == ROWS
    assert "is one file, the split train" in said(tmp_path / "test.jsonl", "test")


@pytest.mark.parametrize("part", ["[:3]", "[-2:]", "[10%:90%]", "[:33%]", "[2:5]", "[50%:]", ""])
def test_parts_of_a_split_are_those_that_datasets_takes(part):
    datasets = pytest.importorskip("datasets")
    rows = list(range(7))
    whole = datasets.ReadInstruction.from_spec(f"train{part}").to_absolute({"train": 7})
    expected = [row for one in whole for row in rows[one.from_ : one.to]]
    assert DatasetSplit.parse(f"train{part}").of(rows) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [("[-20%:]", [6]), ("[:-20%]", [0, 1, 2, 3, 4, 5]), ("[:-1%]", [0, 1, 2, 3, 4, 5, 6])],
)
def test_a_percentage_is_counted_from_the_back_where_it_is_negative(part, expected):
    assert DatasetSplit.parse(f"train{part}").of(list(range(7))) == expected


@pytest.mark.parametrize("part", ["[:0]", "[9:]", "[100%:]", "[4:2]", "[-1%:]"])
def test_a_part_that_holds_no_row_is_refused_and_named(part, tmp_path):
    written(tmp_path, "a.jsonl", ROWS)
    message = said(tmp_path / "a.jsonl", f"train{part}")
    assert f"The part train{part} holds none of the {len(ROWS)} rows" in message


@pytest.mark.parametrize("text", ["train[1]", "train[:10%", "train[1:50%]", "", "train+test"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="is not a split: write train"):
        DatasetSplit.parse(text)


def test_a_null_that_arrow_made_up_is_no_key(tmp_path):
    calls = [
        {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": "{}"}]}
    ]
    rows = [
        {
            "prompt": [{"role": "user", "content": "q"}],
            "chosen": answer,
            "rejected": [{"role": "assistant", "content": "no", "name": "bot"}],
        }
        for answer in (calls, [{"role": "assistant", "content": "yes"}])
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert plain(reading.read(tmp_path / "a.parquet")) == plain(reading.read(tmp_path / "a.jsonl"))


def test_reading_needs_neither_torch_nor_jax(tmp_path):
    written(tmp_path, "a.jsonl", ROWS)
    program = (
        "import sys; from pathlib import Path; from mirrorpo.preference_texts import reading; "
        f"reading.read(Path({str(tmp_path / 'a.jsonl')!r})); "
        "print(*{'torch', 'jax', 'transformers', 'datasets', 'trl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_kinds_by_ending():
    from pathlib import Path

    known = {"A.JsonL.Gz": ".jsonl", "a.ndjson": ".jsonl", "a.tsv": ".tsv", "a.parquet.gz": None}
    assert {name: formats.kind(Path(name)) for name in known} == known
