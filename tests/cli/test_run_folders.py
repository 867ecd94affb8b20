"""What a run folder says of the command that made it."""

import json
import sys

import pytest

from mirrorpo import runs, versions


@pytest.mark.parametrize("program", ["/somewhere/bin/mirrorpo", "/src/mirrorpo/__main__.py"])
def test_a_run_folder_names_its_command(tmp_path, monkeypatch, program):
    monkeypatch.setattr(sys, "argv", [program, "train", "dpo[beta=3]", "--data", "my pairs"])
    runs.claim(tmp_path / "run", {"seed": 1})
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["command"] == "mirrorpo train 'dpo[beta=3]' --data 'my pairs'"
    # Another command of the same settings goes on with the run.
    monkeypatch.setattr(sys, "argv", [program, "train"])
    runs.claim(tmp_path / "run", {"seed": 1})
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == config


def test_another_program_s_command_is_not_taken_for_ours(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/my_script.py", "--fast"])
    assert versions.command_line() is None
