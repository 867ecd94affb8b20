"""The edge of the command line: machines' faults, outside text and streams that take less."""

import errno
import io
import os
import re
import shutil
import subprocess
import sys

import pytest

from mirrorpo import places, runs
from mirrorpo.cli import edge, faults, terminal
from mirrorpo.cli.console import progress
from mirrorpo.cli.printable import escaped, printable_streams
from mirrorpo.cli.terminal import PlainConsole
from mirrorpo.runtime import cache


def ends(error):
    """Exit code of a command in which `error` is raised."""
    with pytest.raises(SystemExit) as stop, edge.guarded():
        raise error
    return stop.value.code


class OutOfMemoryError(RuntimeError):
    """As torch's."""


class SafetensorError(Exception):
    """As that library's, for a full disk too."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: No space left on device."),
        (OSError(errno.EROFS, "Read-only file system", "a"), "a: Read-only file system. Name"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied. Change"),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "f/g"),
            "f/g: Not a directory. A file",
        ),
        (OSError(errno.EIO, "Input/output error", "/x"), "/x: Input/output error."),
        (OSError("no number"), "no number"),
        (
            OSError(errno.ENOSPC, "No space left on device", "r/.config.json.a1b2.part"),
            "r/config.json: No space",
        ),
        (MemoryError(), "Out of memory. Use fewer"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate"), "Out of memory (CUDA out"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."), "Out of memory"),
        (
            SafetensorError('I/O error: Os { code: 28, kind: StorageFull, message: "x" }'),
            "A file cannot be written",
        ),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/1: file write failed"),
            "A file cannot be written",
        ),
        (RuntimeError("basic_ios::clear: iostream error"), "A file cannot be written"),
        (Exception("No space left on device (os error 28)"), "A file cannot be written"),
        (RecursionError("maximum recursion depth exceeded"), "The input is nested too deeply"),
        (
            UnicodeEncodeError("ascii", "a\udcff", 1, 2, "ordinal not in range"),
            "The text '\\udcff' cannot be written as ascii",
        ),
        (ImportError("moved a name"), "moved a name"),
        (ValueError("two\nlines"), "two lines"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_machine_s_fault_is_one_line_and_code_2(error, line, capsys):
    assert ends(error) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"mirrorpo: {line}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a fault of ours"), KeyError("x"), AssertionError()]
)
def test_a_fault_of_the_program_keeps_its_traceback(error):
    with pytest.raises(type(error)), edge.guarded():
        raise error


def test_the_variable_keeps_a_mistake_s_traceback(monkeypatch):
    monkeypatch.setenv(edge.TRACEBACK, "1")
    with pytest.raises(ValueError), edge.guarded():
        raise ValueError("x")


def test_a_run_that_never_began_leaves_nothing_behind(tmp_path, capsys):
    out = tmp_path / "deep" / "run"

    def command():
        runs.claim(out, {"data": "wrong"})
        (out / "checkpoints").mkdir()
        raise ValueError("The data are wrong.")

    with pytest.raises(SystemExit), edge.guarded():
        command()
    assert not out.exists()


def test_a_run_that_has_begun_is_kept(tmp_path, capsys):
    out = tmp_path / "run"

    def command():
        runs.claim(out, {"data": "right"})
        (out / runs.METRICS).write_text("{}\n")
        raise ValueError("Later.")

    with pytest.raises(SystemExit), edge.guarded():
        command()
    assert (out / runs.CONFIG).is_file()
    with pytest.raises(ValueError, match="holds a run with other settings"):
        runs.claim(out, {"data": "other"})


def test_a_run_that_was_killed_before_it_began_is_taken_over(tmp_path):
    runs.claim(tmp_path / "run", {"data": "wrong"})
    (tmp_path / "run" / "checkpoints").mkdir()
    runs.claim(tmp_path / "run", {"data": "right"})
    assert '"right"' in (tmp_path / "run" / runs.CONFIG).read_text()


# Places


def test_a_file_where_a_folder_is_needed_is_found_early(tmp_path):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"--out .*file is a file"):
            runs.claim(out, {})
    assert (tmp_path / "file").read_text() == "precious"


def test_a_place_that_may_not_be_written_is_found_early(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ValueError, match=r"--out x: nothing can be written in "):
        places.check(tmp_path / "new" / "run", "--out x")
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"cache.* nothing can be .* MIRRORPO_CACHE names"):
        cache.check()
    assert not cache.is_usable()


def test_a_full_disk_is_found_early(tmp_path, monkeypatch):
    class Full:
        free, total = 0, 10

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Full)
    with pytest.raises(ValueError, match=r"--out x: the disk of .* is full"):
        places.check(tmp_path / "run", "--out x")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    from pathlib import Path

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in (cache.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ValueError, match=r"no folder for the cache .*: set MIRRORPO_CACHE to one"):
        cache.folder()


# Streams


def mirrorpo(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "mirrorpo", *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **settings.pop("env", {})},
        **settings,
    )


def test_a_terminal_that_lacks_a_character_is_shown_another():
    found = mirrorpo("objectives", "--name", "hopper-robust", env={"PYTHONIOENCODING": "ascii"})
    assert found.returncode == 0
    assert not found.stderr
    assert b"0.868 +- 0.005" in found.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [sys.executable, "-m", "mirrorpo", "objectives", "--name", "dpo"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert found.returncode == 2
    assert found.stderr == (
        b"mirrorpo: No space left on device. Free some space, and run the same command again.\n"
    )


def test_a_reader_that_has_left_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        found = subprocess.run(
            [sys.executable, "-m", "mirrorpo", "objectives", "--name", "dpo"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert not found.stderr
    assert found.returncode != 0


def test_a_device_that_is_not_there_is_one_line():
    for platform in ("cuda", "nonsense"):
        found = mirrorpo("agents", "list", env={"JAX_PLATFORMS": platform})
        assert found.returncode == 2
        assert found.stderr.count(b"\n") == 1
        assert f"JAX cannot start with JAX_PLATFORMS={platform}".encode() in found.stderr


def test_surrogates_of_a_file_s_name_can_be_printed(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    printable_streams()
    PlainConsole().print("name \udcff ± →")
    stream.flush()
    assert stream.buffer.getvalue().decode() == "name \\udcff ± →\n"


# Text from outside


def printed(thing, **settings):
    stream = io.StringIO()
    PlainConsole(file=stream, width=200, soft_wrap=True, **settings).print(thing)
    return stream.getvalue()


NAMES = (
    "Llama-2 [/INST] v1",
    "dpo[beta=0.1]",
    "x[v2]",
    "[bold]b[/bold]",
    "[link=http://x]y[/link]",
    ":smile: model",
    "[/]",
    "\\[a]",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_markup(name):
    from rich.table import Table

    assert printed(name) == f"{name}\n"
    assert printed(name, force_terminal=True, color_system="truecolor") == f"{name}\n"
    table = Table(name, title=name)
    table.add_row(name)
    assert printed(table).count(name) == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_is_being_done_is_never_markup(name, capsys, monkeypatch):
    stream = io.StringIO()
    shown = PlainConsole(file=stream, force_terminal=True, width=200)
    monkeypatch.setattr(terminal, "PlainConsole", lambda **_: shown)
    with progress("agents") as report:
        report(1, 2, name)
    assert name in stream.getvalue()


def test_control_characters_are_shown_and_not_obeyed(capsys):
    name = "a\x1b[2Jb\x07\x9b31m\u202ec\rd"
    assert escaped(name) == "a\\x1b[2Jb\\x07\\x9b31m\\u202ec\\rd"
    assert "\x1b" not in printed(name)
    from rich.text import Text

    assert "\x1b" not in printed(Text(name))
    with pytest.raises(SystemExit), edge.guarded():
        raise ValueError(name)
    assert "\x1b" not in capsys.readouterr().err


def test_every_line_of_a_command_goes_through_the_one_console():
    """Nothing in the package makes another console, or prints by itself."""
    from pathlib import Path

    import mirrorpo

    folder = Path(mirrorpo.__file__).parent
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name not in ("console.py", "terminal.py"):
            assert not re.search(r"\bConsole\(", text), path
            assert "rich.get_console" not in text, path
            assert "from_markup" not in text, path
            assert not any(line.lstrip().startswith("print(") for line in text.splitlines()), path


def test_faults_of_others_are_none():
    assert faults.explain(ValueError("x")) is None
    assert faults.explain(RuntimeError("x")) is None
