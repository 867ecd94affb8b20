"""A run says which command made it, and readers go by that."""

import ast
import json
from pathlib import Path

import pytest

from mirrorpo import run_kinds, runs
from mirrorpo.reporting.page import folders, reading

SOURCE = Path(run_kinds.__file__).parent


def claims():
    """Each call of `runs.claim` in the package, with the file's name."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "runs.claim":
                yield pytest.param(node, id=path.relative_to(SOURCE).as_posix())


@pytest.mark.parametrize("call", list(claims()))
def test_every_command_records_a_known_kind(call):
    (kind,) = (one.value for one in call.keywords if one.arg == "kind")
    assert isinstance(kind, ast.Constant)
    assert kind.value in run_kinds.KINDS


@pytest.mark.parametrize("kind", run_kinds.KINDS)
def test_a_recorded_kind_beats_what_the_settings_look_like(tmp_path, kind):
    settings = {"algorithms": ["dpo"], "variants": ["base"], "objective": "dpo"}
    runs.claim(tmp_path / "run", settings, kind=kind)
    config = json.loads((tmp_path / "run" / runs.CONFIG).read_text())
    assert config["kind"] == kind
    assert folders.read([tmp_path / "run"])[0].kind == kind


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"algorithms": [], "variants": [], "task": "hopper"}, "bench"),
        ({"algorithms": [], "variants": [], "best_of": 4}, "bench"),
        ({"generations": 3, "learn": ["psi"], "variants": []}, "discover"),
        ({"objective": "orpo", "max_terms": 4}, "explain"),
        ({"objective": "orpo", "data": "ab12", "training": {}}, "train"),
        ({"objective": "orpo", "dataset_name": "pairs", "training": {}}, "align"),
        ({"contestants": [], "judge": None}, "judge"),
        ({"command": "agents train", "task": "hopper"}, "agents train"),
        ({"command": "report", "runs": []}, "report"),
        ({"seed": 1}, "other"),
        ("damaged", "other"),
    ],
)
def test_a_run_of_0_1_0_is_known_by_its_settings(settings, kind):
    assert run_kinds.of({"settings": settings}) == kind


def test_a_kind_of_a_later_version_is_read_as_other(tmp_path):
    config = {"kind": "tournament", "settings": {"algorithms": [], "variants": []}}
    assert run_kinds.of(config) == "other"


def test_settings_that_are_not_of_the_kind_are_damage(tmp_path):
    runs.claim(tmp_path / "run", {"seed": 1}, kind="explain")
    (found,) = folders.read([tmp_path / "run"])
    assert "names no objective" in found.damage


def test_a_folder_of_another_command_is_refused_and_kept(tmp_path):
    out = tmp_path / "run"
    runs.claim(out, {"seed": 1}, kind="judge")
    (out / "answers").write_text("made")
    with pytest.raises(ValueError, match="of `mirrorpo judge`, not of `mirrorpo align`"):
        runs.claim(out, {"seed": 1}, kind="align")
    assert (out / "answers").read_text() == "made"
    runs.claim(out, {"seed": 1}, kind="judge")


def test_a_run_that_recorded_no_kind_resumes(tmp_path):
    out, settings = tmp_path / "run", {"algorithms": ["dpo"], "variants": ["base"]}
    runs.claim(out, settings)
    (out / runs.METRICS).write_text("{}\n")
    runs.claim(out, settings, kind="bench")
    with pytest.raises(ValueError, match="holds a run of `mirrorpo bench`"):
        runs.claim(out, settings, kind="judge")


def test_every_kind_with_figures_has_a_reader():
    listed_alone = {"explain", "report", "other"}
    assert set(reading.READERS) == set(run_kinds.KINDS) - listed_alone
