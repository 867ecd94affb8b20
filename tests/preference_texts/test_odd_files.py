"""Files that are not what their names say, columns that cannot be read, damaged folders."""

import datetime
import gzip
import io
import json
import os
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mirrorpo.preference_texts import reading

from .test_files import LINES, ROWS, as_arrow, plain, said, written

TEXT = "\n".join(LINES).encode()
PLAIN = [{name: f"{name} {n}" for name in ("prompt", "chosen", "rejected")} for n in range(7)]


def tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("a.jsonl")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return stream.getvalue()


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.jsonl", TEXT)
    return stream.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", gzip.compress(TEXT), "is compressed with gzip: end its name in .gz"),
        ("a.jsonl.gz", gzip.compress(gzip.compress(TEXT)), "is compressed twice: unpack it once"),
        ("a.jsonl.gz", gzip.compress(tar()), "is a tar archive"),
        ("a.jsonl.gz", gzip.compress(TEXT) + b"more", "cannot be unpacked"),
        ("a.json", zipped(), "is a zip archive or a spreadsheet"),
        ("a.csv", as_arrow("parquet"), "is a Parquet file: end its name in .parquet"),
        ("a.jsonl", as_arrow("file"), "is an Arrow file: end its name in .arrow"),
        ("a.parquet", gzip.compress(TEXT), "is compressed with gzip"),
        ("a.parquet", as_arrow("parquet")[:99], "cannot be read as .parquet"),
        ("a.parquet", b"", "cannot be read as .parquet"),
        ("a.arrow", as_arrow("parquet"), "is a Parquet file"),
        ("a.jsonl", b"BZh9", "is compressed with bzip2"),
        ("a.jsonl", POINTER, "is a pointer of Git LFS in place of the file"),
        ("a.csv.gz", POINTER, "is a pointer of Git LFS in place of the file"),
        ("a.parquet", POINTER, "is a pointer of Git LFS in place of the file"),
        ("a.json", b"\n<!DOCTYPE html><p>404", "is a web page"),
        ("a.csv", "prompt,chosen,rejected\n".encode("utf-16-le"), "is written in UTF-16"),
        ("a.jsonl", TEXT.decode().encode("utf-16-be"), "is written in UTF-16"),
        ("a.csv", TEXT, "is JSON, not CSV: end its name in .jsonl or .json"),
        ("a.jsonl", b"prompt,chosen,rejected\n", "A row begins with '{'."),
        ("a.jsonl", b"".join(line.encode() for line in LINES), "One row takes one line, with"),
        ("a.jsonl", json.dumps(ROWS[0], indent=1).encode(), "and one row takes one line."),
        ("a.jsonl", b"\xef\xbb\xbf" * 2 + TEXT, "Remove the byte-order mark before it."),
        ("a.json", json.dumps({"data": ROWS}).encode(), "its rows may be the list under data"),
        (
            "a.json",
            json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}).encode(),
            "holds whole columns, not rows",
        ),
        (
            "a.json",
            json.dumps({name: {"0": "a", "1": "b"} for name in ROWS[0]}).encode(),
            "holds whole columns, not rows",
        ),
        ("a.csv", b"a,,\nb,c,d\n", "has two columns of the name ''"),
        ("a.csv", b"prompt, chosen, rejected\na,b,c\n", "has prompt, ' chosen', ' rejected'"),
        (
            "a.jsonl",
            b'{"prompt": "", "rejected": "", "chosen": ' + b"9" * 50 + b"}",
            "chosen is a number of 50",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_of_another_kind_is_called_by_its_kind(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    found = said(path)
    assert message in found
    assert str(path) in found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.jsonl")
    assert "is neither a file nor a folder: write the rows to a file" in said(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semicolons.csv", b"prompt;chosen;rejected\n" + b"a;b;c\n"),
        ("tabs.csv", b"prompt\tchosen\trejected\r\na\tb\tc\r\n"),
        ("commas.tsv", b"prompt,chosen,rejected\na,b,c\n"),
        ("blank.csv", b"\n\nprompt,chosen,rejected\na,b,c\n"),
        ("mac.csv", b"prompt,chosen,rejected\ra,b,c\r"),
        ("mac.jsonl", b'{"prompt": "a", "chosen": "b",  "rejected": "c"}\r'),
        ("list.jsonl", b'[\n {"prompt": "a", "chosen": "b",  "rejected": "c"}\n]'),
        ("one.json", b'{"prompt": "a",\n "chosen": "b",  "rejected": "c"}'),
    ],
)
def test_other_delimiters_and_ends_of_lines(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    found = reading.read(tmp_path / name)
    assert plain(found) == [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    assert found.notes == ()


# Columns that Python cannot state

LATE = pa.array([2**30] * 7, pa.date32())
LATER = pa.array([2**62] * 7, pa.timestamp("us"))
NOWHERE = pa.array([1] * 7, pa.timestamp("us", tz="Nowhere/City"))
TWICE = pa.StructArray.from_arrays([pa.array(["a"] * 7)] * 2, names=["role", "role"])


def not_utf8(wrong):
    """Seven texts of one byte each; of that in `wrong`, the byte is of no text."""
    content = bytes(0xFF if n == wrong else ord("a") + n for n in range(7))
    offsets = pa.py_buffer(np.arange(8, dtype=np.int32).tobytes())
    return pa.Array.from_buffers(pa.string(), 7, [None, offsets, pa.py_buffer(content)])


@pytest.mark.parametrize("other", [LATE, LATER, NOWHERE, TWICE, not_utf8(3)], ids=range(5))
def test_a_column_that_is_not_used_need_not_be_readable(other, tmp_path):
    table = pa.Table.from_pylist(PLAIN).append_column("other", other)
    pq.write_table(table, tmp_path / "a.parquet")
    found = reading.read(tmp_path / "a.parquet")
    assert plain(found) == PLAIN
    assert found.notes == (f"{tmp_path / 'a.parquet'}: columns that are not used: other.",)


def test_a_text_that_is_not_utf8_is_named_with_its_row(tmp_path):
    table = pa.Table.from_pylist(PLAIN).set_column(1, "chosen", not_utf8(3))
    pq.write_table(table, tmp_path / "a.parquet")
    found = said(tmp_path / "a.parquet")
    assert "a.parquet, row 4: chosen is not readable ('utf-8' codec can't decode" in found


def test_columns_of_other_types_do_not_matter(tmp_path):
    rows = [{**row, "at": datetime.datetime(2020, 1, 1), "raw": b"\xff"} for row in PLAIN]
    table = pa.Table.from_pylist(rows)
    for name in PLAIN[0]:
        number = table.column_names.index(name)
        table = table.set_column(number, name, table[name].dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet")
    assert plain(reading.read(tmp_path / "a.parquet")) == PLAIN


# Messages that are written as texts


def spoken(make):
    return [
        {
            "prompt": make([{"role": "user", "content": f"q {n}"}]),
            "chosen": make([{"role": "assistant", "content": f"a {n}"}]),
            "rejected": make([{"content": f"b {n}", "role": "assistant"}]),
        }
        for n in range(5)
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize("make", [json.dumps, lambda value: json.dumps(value, indent=1)])
def test_messages_as_json_texts_are_messages(name, make, tmp_path):
    written(tmp_path, name, spoken(make))
    found = reading.read(tmp_path / name)
    assert found.rows[1].chosen == ({"role": "assistant", "content": "a 1"},)
    assert len(found.notes) == 3
    assert "all rows: prompt holds messages as JSON texts, read as messages" in found.notes[0]


def test_one_message_as_a_json_text_is_a_message(tmp_path):
    written(tmp_path, "a.jsonl", spoken(lambda value: json.dumps(value[0])))
    assert reading.read(tmp_path / "a.jsonl").rows[4].prompt == (
        {"role": "user", "content": "q 4"},
    )


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize("make", [str, lambda value: json.dumps(value)[:-4]])
def test_messages_as_texts_that_are_not_json_are_refused(name, make, tmp_path):
    written(tmp_path, name, spoken(make))
    found = said(tmp_path / name)
    assert "row 1: prompt holds messages as a text that is not JSON, " in found


@pytest.mark.parametrize("answer", ['[{"value": 1}]', '{"content": "x"}', "{'role': 3}", "[{"])
def test_an_answer_that_is_json_stays_a_text(answer, tmp_path):
    rows = [{"prompt": f"JSON {n}!", "chosen": answer, "rejected": "no"} for n in range(3)]
    written(tmp_path, "a.jsonl", rows)
    found = reading.read(tmp_path / "a.jsonl")
    assert plain(found) == rows
    assert found.notes == ()


def test_one_answer_that_looks_like_messages_among_texts_stays_a_text(tmp_path):
    rows = [{"prompt": f"q {n}", "chosen": f"a {n}", "rejected": "no"} for n in range(3)]
    rows[1]["chosen"] = json.dumps([{"role": "user", "content": "an example"}])
    written(tmp_path, "a.jsonl", rows)
    assert plain(reading.read(tmp_path / "a.jsonl")) == rows


# Folders


def test_files_of_no_split_are_named_where_there_are_several(tmp_path):
    for name in ("good", "bad"):
        written(tmp_path / "two", f"{name}.jsonl", ROWS)
        written(tmp_path / "parts", f"pairs-{name == 'good':d}.jsonl", ROWS)
    found = reading.read(tmp_path / "two").notes
    assert found == (f"{tmp_path / 'two'}: read 2 files as one split: bad.jsonl, good.jsonl.",)
    assert reading.read(tmp_path / "parts").notes == ()
    written(tmp_path / "model", "train.jsonl", ROWS)
    written(tmp_path / "model", "config.json", [])
    (note,) = reading.read(tmp_path / "model").notes
    assert note == f"{tmp_path / 'model'}: read its split train, and not config.json."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("state.json", "[]", "state.json is not the state of a saved dataset: it holds no JSON ob"),
        ("state.json", "no", "state.json is not the state of a saved dataset: it is not valid"),
        ("state.json", '{"_data_files": null}', "state.json is damaged: it does not list the"),
        ("state.json", '{"_data_files": ["a"]}', "state.json is damaged: it does not list the"),
        ("state.json", '{"_data_files": [{"filename": 3}]}', "state.json is damaged: it does not"),
        ("state.json", '{"_data_files": [{"filename": "a.arrow"}]}', "a.arrow cannot be read"),
        ("dataset_dict.json", "[]", "dataset_dict.json is not a list of splits: it holds no JSON"),
        ("dataset_dict.json", '{"splits": null}', "dataset_dict.json is damaged: it does not"),
        ("dataset_dict.json", '{"splits": [3]}', "dataset_dict.json is damaged: it does not"),
        ("dataset_dict.json", '{"splits": ["train"]}', "train is not there, but the dataset"),
        ("dataset_dict.json", '{"splits": ["../other"]}', "other is not there, but the dataset"),
    ],
)
def test_a_damaged_folder_of_datasets_is_one_line(name, content, message, tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / name).write_text(content)
    assert message in said(tmp_path / "saved")


def test_the_state_of_another_program_is_no_dataset(tmp_path):
    written(tmp_path, "train.jsonl", ROWS)
    (tmp_path / "state.json").write_text('{"step": 3}')
    assert plain(reading.read(tmp_path)) == ROWS
