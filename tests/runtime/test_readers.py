"""Every place that reads something whole is known: a new one reads through `mirrorpo.bounded`."""

import ast
import time
from pathlib import Path

import pytest

import mirrorpo
from mirrorpo.preference_texts import formats

SOURCE = Path(mirrorpo.__file__).parent
READS = {
    *("read_text", "read_bytes", "readlines", "read", "load", "loads", "open", "urlopen"),
    *("read_csv", "read_json", "read_table", "read_parquet", "decompress", "safe_open"),
    *("load_file", "open_file", "open_stream", "ParquetFile", "GzipFile", "SafeLoader"),
}
OWNERS = {"json", "yaml", "gzip", "np", "pd", "zlib", "tarfile", "zipfile", "pickle", "torch"}
"""Modules whose `load` reads; another `load` is a function of ours, which calls one of these."""

KNOWN = {
    "bounded.py": "the one reader",
    "array_files.py": "a header is checked before it is opened",
    "files.py": "checksums are read in parts",
    "front/report.py": "a page that it has just written",
    "front/robots.py": "a picture that it has just drawn",
    "json_lines.py": "lines of at most bounded.LINE",
    "locks.py": "opens the lock to write it",
    "versions.py": "an installed package's own metadata",
    "runtime/kept_traces.py": "the cache's own files, each with its digest; packages' metadata",
    "cli/edge.py": "opens the null device",
    "cli/signals.py": "reads its own pipe",
    "language/judging/alpaca_names.py": "opens the null device",
    "language/judging/difficulty.py": "a CSV file, after bounded.check_size",
    "language/text_task/worker.py": "the files of an adapter that it has just trained",
    "language/training/checkpoints.py": "a header, after bounded.check_header",
    "places.py": "looks for a text in parts of bounded length",
    "language/judging/scores.py": "code that the user typed",
    "objectives/user_files.py": "code that the user typed",
    "objectives/storage.py": "opens a file to see whether it can be, and reads nothing",
    "preference_texts/json_rows.py": "a text of bounded length; RecursionError is refused",
    "preference_texts/messages.py": "a text of bounded length; RecursionError is refused",
    "preference_texts/tables.py": "after bounded.check_size or check_length",
    "preferences/own/archives.py": "the size in an array's header is counted before it is unpacked",
    "preferences/own/exchange.py": "opens the archive that it writes",
    "preferences/own/label_files.py": "a CSV file, after bounded.check_size",
    "preferences/own/tables.py": "columns in batches of 1024 rows, counted as they come",
    "advising/evidence_files.py": "CSV files: the package's own, and after bounded.check_size",
    "reporting/page/render.py": "the package's own templates",
    "reporting/page/rollouts.py": "a picture that it has just drawn",
    "reporting/published/documents.py": "a picture, whose pixels Pillow counts; opens, reads none",
    "reporting/published/store.py": "a table in batches of 1024 rows, counted as they come",
    "reporting/published/unpacking.py": "opens a file that it writes",
    "study/tuned.py": "the package's own tables",
}


def readers(tree: ast.AST) -> list[int]:
    """Lines of calls that may read something whole."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _reads(node)]


def _reads(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in READS - {"read", "load", "loads"}
    if not isinstance(function, ast.Attribute) or function.attr not in READS:
        return False
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    if name in ("bounded", "files"):
        return False
    if function.attr in ("load", "loads", "read_json"):
        return name in OWNERS
    # `benches.read(folder)` is a function of ours, `stream.read()` is not; both are names.
    is_ours = isinstance(owner, ast.Name) and function.attr == "read" and bool(call.args)
    return not is_ours


def test_whatever_reads_a_file_whole_is_known():
    unknown = {
        f"{path.relative_to(SOURCE)}:{line}"
        for path in SOURCE.rglob("*.py")
        if str(path.relative_to(SOURCE)) not in KNOWN
        for line in readers(ast.parse(path.read_text()))
    }
    assert unknown == set(), "read through mirrorpo.bounded, or say in KNOWN why it is bounded"


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_a_header_of_many_columns_is_refused_at_once(tmp_path, ending):
    keys = [f"k{n}" for n in range(200_000)] + ["last", "last"]
    row = "{" + ",".join(f'"{key}": 1' for key in keys) + "}"
    path = tmp_path / f"pairs.{ending}"
    path.write_text(",".join(keys) + "\n" if ending == "csv" else f"[{row}]")
    began = time.process_time()
    with pytest.raises(ValueError, match="last"):
        formats.read(path)
    assert time.process_time() - began < 5


def test_no_known_reader_has_gone():
    assert [name for name in KNOWN if not (SOURCE / name).is_file()] == []


def test_a_new_reader_is_found():
    for text in (
        "json.load(file)",
        "json.loads(text)",
        "path.read_text()",
        "open(path)",
        "Path(path).open()",
        "pd.read_csv(path)",
        "yaml.load(text)",
        "gzip.decompress(content)",
        "reply.content.read()",
        "stream.read()",
    ):
        assert readers(ast.parse(text)) == [1], text
    assert readers(ast.parse("bounded.read_text(path, 'x')")) == []
