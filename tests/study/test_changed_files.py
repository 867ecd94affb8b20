"""A run is neither continued nor read back where a file that it names has another content."""

import shutil
from types import SimpleNamespace

import pytest

import mirrorpo as mpo
from mirrorpo import files, objectives
from mirrorpo.agents import training_run
from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.preferences.own import importing
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.simulation import tasks
from mirrorpo.study import algorithms, recorded, robots, single_run
from mirrorpo.training_settings import TrainSettings
from mirrorpo.user_text import UserText
from tests import own_loss, point_task
from tests.preferences.own.recordings import write_npz


class Claimed(Exception):
    """What comes right after the folder is claimed."""


def after_claim(*given, **named):
    raise Claimed


def began(out):
    (out / "metrics.jsonl").write_text("{}\n")


@pytest.fixture
def two_agents(tmp_path):
    return point_task.write_agents(tmp_path)


@pytest.fixture
def data(tmp_path):
    importing.run(write_npz(tmp_path / "a.npz"), tmp_path / "a.safetensors", ImportSettings())
    return tmp_path / "a.safetensors"


@pytest.fixture
def train(data, tmp_path, monkeypatch):
    monkeypatch.setattr(single_run.shapes, "remember", after_claim)

    def run(text, start=None):
        algorithm = algorithms.load(UserText(text))
        single_run.run(algorithm, data, tmp_path / "run", TrainSettings(hidden=(8,)), [0], start)

    return run


def test_train_is_not_read_back_with_another_code_of_its_loss(train, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(own_loss.code("mine-that-changes"))
    with pytest.raises(Claimed):
        train(f"{mine}:Mine")
    began(tmp_path / "run")
    with pytest.raises(Claimed):
        train(f"{mine}:Mine")
    mine.write_text(own_loss.code("mine-that-changes").replace("-batch.chosen", "batch.rejected"))
    with pytest.raises(ValueError, match="another content of objective"):
        train(f"{mine}:Mine")
    other = tmp_path / "other.py"
    other.write_text(own_loss.code("another-that-changes"))
    with pytest.raises(ValueError, match="another content of objective"):
        train(f"{other}:Mine")


def test_train_is_not_read_back_with_another_agent_to_start_from(train, two_agents, tmp_path):
    first, second = two_agents
    with pytest.raises(Claimed):
        train("sft", str(first))
    began(tmp_path / "run")
    shutil.copy(second, first)
    first.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match=r"another content of .*first"):
        train("sft", str(first))


def test_ppo_is_not_continued_from_another_agent(two_agents, tmp_path, monkeypatch):
    def after_the_first_policy(*given):
        checkpoint = tmp_path / "run" / training_run.CHECKPOINTS / "step-0.safetensors"
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_bytes(b"policy")
        raise Claimed

    monkeypatch.setattr(training_run.PPOTrainer, "start", after_the_first_policy)
    given = {"environments": 16, "rollout_steps": 5, "minibatches": 2, "hidden": (8,)}

    def run(start):
        mpo.train_agent(point_task.NAME, out=tmp_path / "run", start_from=start, **given)

    for _ in range(2):
        with pytest.raises(Claimed):
            run(two_agents[0])
    with pytest.raises(ValueError, match="another content of start"):
        run(two_agents[1])


def test_a_search_is_not_continued_against_another_content_of_a_rival(
    two_agents, tmp_path, monkeypatch
):
    monkeypatch.setattr(search, "_Search", after_claim)
    rival = tmp_path / "rival.json"
    better, worse = map(str, two_agents)
    settings = DiscoverySettings(
        task=point_task.NAME, rows=8, better=better, worse=worse, against=(str(rival),)
    )
    objectives.save(objectives.get("dpo", beta=1.0), rival)
    with pytest.raises(Claimed):
        search.discover(settings, tmp_path / "run")
    began(tmp_path / "run")
    objectives.save(objectives.get("dpo", beta=2.0), rival)
    with pytest.raises(ValueError, match=r"another content of .*rival\.json"):
        search.discover(settings, tmp_path / "run")


def test_a_task_that_is_code_is_a_content_of_its_run(tmp_path):
    task = SimpleNamespace(code="digest")
    assert tasks.contents(task) == {"task": "digest"}
    assert tasks.contents(SimpleNamespace(code=None)) == tasks.contents(None) == {}
    data = tmp_path / "data.safetensors"
    data.write_bytes(b"data")
    of_file = robots.Recorded(data, None, task, None, None, None, None)
    assert of_file.checksums == {"data": files.checksum(data), "task": "digest"}


def test_data_are_not_scored_on_another_code_of_their_task(two_agents, tmp_path):
    code = tmp_path / "robot.py"
    code.write_text("from tests.point_task import Point\n\n\ndef make():\n    return Point()\n")
    task = f"{code}:make"
    better, worse = two_agents
    made = {"rows": 2, "episode_length": 4, "better": better, "worse": worse, "cache": tmp_path}
    data = mpo.generate(task, out=tmp_path / "data.safetensors", **made)
    assert recorded.task_on(data.card, "the data", UserText(task)).episode_length == 4
    code.write_text(code.read_text() + "\n\n# another robot\n")
    with pytest.raises(ValueError, match=r"robot\.py:make, whose file has changed since"):
        recorded.task_on(data.card, "the data", UserText(task))
    with pytest.raises(ValueError, match="Make the data again"):
        mpo.train("sft", data, task=task, seeds=1, episodes=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
