"""Hostile inputs to commands that are quick to refuse them, all in this process; the campaign gives
every one to a process of its own."""

import pytest

from mirrorpo import objectives
from mirrorpo.cli import main
from tests.reliability import hostile

QUICK = ("pairs", "objectives", "texts", "arrays")
EVERY = 4
"""One of so many is given in the fast suite."""

LARGE = ("gzip bomb", "many columns", "a long line", "90 MiB")


@pytest.fixture(scope="module")
def given():
    return hostile.inputs()


def test_there_are_hundreds_of_them_and_no_two_are_the_same(given):
    names = [(kind, one.name, tuple(one.words)) for kind, found in given.items() for one in found]
    assert len(set(names)) == len(names) >= 200
    assert set(given) > set(QUICK)


def checked(inputs, folder, monkeypatch, capsys):
    """How many were refused; each is accepted, or refused in one line, and runs nothing."""
    refused = 0
    for number, one in enumerate(inputs):
        place = folder / str(number)
        place.mkdir()
        one.write(place)
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        monkeypatch.chdir(place)
        code = 0
        try:
            main(list(one.words))
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr().err
        if code:
            lines = [line for line in said.splitlines() if line.startswith("mirrorpo: ")]
            assert (code, len(lines)) == (2, 1), (one.name, said[-300:])
            refused += 1
        assert "Traceback" not in said, one.name
        assert hostile.USAGE not in said, one.name
        after = {
            path: path.read_bytes()
            for path in place.rglob("*")
            if path.is_file() and not path.is_relative_to(place / "out")
        }
        assert after == before, one.name
    return refused


def test_the_same_commands_take_sound_input(tmp_path, monkeypatch, capsys):
    objectives.save(objectives.get("dpo", beta=0.3), tmp_path / "sound.json")
    sound = [
        hostile.Input("a text", ["objectives", "--name", "dpo[beta=2]"]),
        hostile.Input("a file", ["objectives", "--name", str(tmp_path / "sound.json")]),
    ]
    assert checked(sound, tmp_path, monkeypatch, capsys) == 0


def quick(given):
    return [one for kind in QUICK for one in given[kind] if one.name not in LARGE]


def test_hostile_inputs_are_refused_in_one_line(given, tmp_path, monkeypatch, capsys):
    some = quick(given)[::EVERY]
    assert len(some) > 20
    assert checked(some, tmp_path, monkeypatch, capsys) > len(some) / 2


@pytest.mark.slow
def test_every_quick_hostile_input_is_refused_in_one_line(given, tmp_path, monkeypatch, capsys):
    every = quick(given)
    refused = checked(every, tmp_path, monkeypatch, capsys)
    print(
        f"{len(every)} hostile inputs: {refused} refused in one line, {len(every) - refused} used"
    )
