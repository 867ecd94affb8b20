"""A submission holds what was measured, and verifying it measures the same again."""

import dataclasses
import json
from pathlib import Path

import pytest

import mirrorpo as mpo
from mirrorpo import files, protocols
from mirrorpo.cli import main
from mirrorpo.reporting.published import unpacking
from mirrorpo.study import submissions, suite
from tests import point_task

OF_A_RUN = ("variants", "better", "worse", "start")
"""One column of the suite's; and the task's own agents by their names."""

ROOT = Path(__file__).parents[2]

MINE = '''
from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective


@dataclass(frozen=True, kw_only=True)
class Mine(Objective):
    """Likes the chosen, and dislikes the rejected a little."""

    name: ClassVar[str] = "mine-NAME"
    factor: float = 0.1

    def loss(self, batch, progress):
        return self.factor * batch.rejected - batch.chosen
'''


@pytest.fixture(scope="class")
def light_robot(tmp_path_factory):
    """Once for several tests: their programs are the same."""
    with pytest.MonkeyPatch.context() as patch:
        point_task.stand_in_for_hopper(patch, tmp_path_factory.mktemp("light"))
        yield


@pytest.fixture
def light(light_robot, monkeypatch, tmp_path):
    """The suite on a light robot, and small."""
    whole = suite.settings

    def small(*given, **named):
        settings = whole(*given, **named)
        return dataclasses.replace(
            settings,
            rows=16,
            epochs=2,
            time_steps=4,
            seeds=2,
            episodes=2,
            trials=2 if settings.search else None,
        )

    monkeypatch.setattr(suite, "settings", small)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "folder" / "mine.py"
    path.parent.mkdir()
    path.write_text(MINE.replace("NAME", tmp_path.name.replace("_", "-")))
    return f"{path}:Mine"


@pytest.mark.usefixtures("light")
class TestSubmissions:
    def test_a_submission_is_verified_in_all_digits(self, tmp_path):
        result = mpo.submit("slic", out=tmp_path / "out")
        given = result.submission
        assert {one.algorithm for one in given.agents} == {"slic", "sft"}
        assert given.cells() == [("hopper", variant) for variant in sorted(suite.VARIANTS)]
        assert result.table["agents"].tolist() == [2, 2, 2]
        assert submissions.read(result.file) == given

        found = mpo.verify(result.file)
        assert len(found.cells) == 3
        assert [one.verdict for one in found.cells] == [submissions.EQUAL] * 3
        assert found.table["submitted"].tolist() == found.table["measured"].tolist()
        assert found.agrees

    def test_a_users_loss_is_named_without_its_folder_and_runs_only_where_it_is_typed(
        self, mine, capsys
    ):
        main(["submit", mine, "--out", "out"])
        file = Path("out") / submissions.FILE
        assert "folder" not in file.read_text()
        assert submissions.read(file).objective == "mine.py:Mine"
        with pytest.raises(ValueError, match="Only code that you name"):
            mpo.verify(file)
        with pytest.raises(ValueError, match="is not the loss whose rows"):
            mpo.verify(file, f"{mine}[factor=0.2]")
        capsys.readouterr()
        main(["verify", str(file), mine, "--cells", "1"])
        row = next(line for line in capsys.readouterr().out.splitlines() if "hopper" in line)
        assert [cell.strip() for cell in row.split("│")][-3:-1] == ["2 of 2", "equal"]

    def test_numbers_that_were_made_up_are_found_out(self, tmp_path, capsys):
        file = mpo.submit("sft", out=tmp_path / "out").file
        written = file.read_text()
        # All higher; and of the right mean, with a spread that would let any mean agree.
        for changes in ((50.0, 50.0), (-5000.0, 5000.0)):
            content = json.loads(written)
            for row in content["agents"]:
                row["return_mean"] += changes[row["seed"]]
            file.write_text(json.dumps(content))
            with pytest.raises(SystemExit) as stop:
                main(["verify", str(file)])
            assert stop.value.code == 2
            assert "was changed after it was written" in capsys.readouterr().err
            # Whoever changes the numbers may also make the checksum anew.
            content["checksum"] = submissions._digest(content | {"checksum": ""})
            file.write_text(json.dumps(content))
            with pytest.raises(SystemExit) as stop:
                main(["verify", str(file), "--cells", "1", "--seed", "4"])
            assert stop.value.code == 1
            said = capsys.readouterr().out.splitlines()
            row = next(line for line in said if "hopper" in line)
            assert [cell.strip() for cell in row.split("│")][-3:-1] == ["0 of 2", "differs"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agents": None}, "agents is None"),
        ({"agents": [{"task": 3}]}, "no variant"),
        ({"suite": 1}, "suite is 1, but must be a text"),
        ({"format": 99}, "newer MirrorPO"),
        ({"format": "1"}, "format version is '1'"),
        ({"format": True}, "format version is True"),
        ({"more": 1}, "unknown more"),
    ],
)
def test_a_file_that_is_no_submission_is_one_line(tmp_path, change, said):
    path = tmp_path / "file.json"
    empty = submissions.Submission(1, "1", "quick", "sft", "0", [], {})
    files.write_json(path, {**dataclasses.asdict(empty), **change})
    with pytest.raises(ValueError, match=said) as error:
        mpo.verify(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("robot", ["hopper", "tla"])
@pytest.mark.parametrize("column", ["noisy", "mixed", "base"])
def test_the_published_leaderboards_are_of_this_suite(robot, column):
    with unpacking.folders([ROOT / "results" / f"leaderboard-{robot}-{column}"]) as (folder,):
        recorded = files.read_object(folder / "config.json", "a run's settings")["settings"]
    here = files.as_json(suite.settings(robot, recorded["algorithms"]).recorded)
    assert {**here, **{name: recorded[name] for name in OF_A_RUN}} == recorded
    assert set(recorded["variants"]) < set(suite.VARIANTS)


@pytest.mark.parametrize("search", [True, False])
def test_the_suite_stays_as_it_is_where_the_protocol_moves_on(search, monkeypatch):
    before = suite.settings("hopper", ["sft"], search)
    moved = {**protocols.PROTOCOLS["mirror"], "hidden": (8,), "std": "fixed:0.5", "tune_by": "grid"}
    moved |= {name: 2 * value for name, value in moved.items() if type(value) in (int, float)}
    monkeypatch.setitem(protocols.PROTOCOLS, "mirror", moved)
    assert suite.settings("hopper", ["sft"], search) == before


def test_what_cannot_be_asked_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(ValueError, match="tier must be quick or full"):
        mpo.submit("sft", tier="all", out=tmp_path / "out")
    with pytest.raises(ValueError, match="slic"):
        mpo.submit("slicc", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cells_agree_by_their_errors_and_diverged_agents_count():
    def agents(*returns):
        given = {"task": "t", "variant": "v", "algorithm": "a", "phase": "final"}
        rest = {"hyperparameters": "{}", "return_standard_error": 0.0, "episodes": 1}
        seconds = {"train_seconds": 0.0, "evaluate_seconds": 0.0}
        return [
            submissions.AgentRecord(
                **given, **rest, **seconds, seed=at, return_mean=one, diverged=one is None
            )
            for at, one in enumerate(returns)
        ]

    assert submissions.compare(agents(1.0, None), agents(1.0, None)).verdict == submissions.EQUAL
    assert submissions.compare(agents(1.0, 2.0), agents(1.1, 2.0)).verdict == submissions.AGREES
    moved = agents(1.0001, 2.0001)
    assert submissions.compare(agents(1.0, 2.0), moved).verdict == submissions.AGREES
    assert submissions.compare(agents(1.0, 2.0), agents(6.0, 7.0)).verdict == submissions.DIFFERS
    assert submissions.compare(agents(1.0, 2.0), agents(1.0, None)).verdict == submissions.DIFFERS
    # What is claimed widens no bound: neither that of the mean nor that of the spread.
    wide = agents(-9.0, 15.0, -9.0, 15.0)
    measured = agents(1.0, 2.0, 1.5, 2.5)
    assert submissions.compare(wide, measured).verdict == submissions.DIFFERS
    assert submissions.compare(agents(3.9, 1.1, 4.4, 4.6), measured).verdict == submissions.DIFFERS
    assert submissions.compare(agents(2.0, 1.0, 2.5, 1.5), measured).verdict == submissions.AGREES
