"""What agents start from: the task's own agent, one of the user's, or random networks."""

import dataclasses

import jax
import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo.agents import agent_files, sources
from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.study import bench
from mirrorpo.study.settings import BenchSettings
from tests import point_task


@pytest.fixture(scope="module")
def two_agents(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("points"))


def tiny(two_agents, **changes):
    """One agent that hardly moves from its start."""
    settings = {"variants": ("base",), "algorithms": ("sft",), "seeds": 1, "epochs": 1}
    settings |= {"learning_rate": 1e-12, "episodes": 2}
    return BenchSettings(**{**point_task.bench(two_agents), **settings, **changes})


def kept(settings, out):
    """The agent that a bench of one cell keeps."""
    bench.run(settings, out, cache=out.parent / "cache", keep_agents=True)
    (file,) = (out / "agents").glob("*.safetensors")
    return agent_files.load(file)[0]


def test_learners_start_from_the_agent_that_is_named(two_agents, tmp_path):
    ended = kept(tiny(two_agents, start_from=str(two_agents[0])), tmp_path / "run")
    start, _ = agent_files.load(two_agents[0])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ended.parameters, start.parameters
    )


def test_random_networks_have_the_layers_that_are_asked_for(two_agents, tmp_path):
    assert kept(tiny(two_agents), tmp_path / "usual").hidden == (64, 64)
    assert kept(tiny(two_agents, hidden=(5, 7, 3)), tmp_path / "other").hidden == (5, 7, 3)


def test_a_file_of_data_and_its_task_start_from_the_same_agent(two_agents, tmp_path):
    start = str(two_agents[0])
    file = tmp_path / "pool.safetensors"
    mpo.generate(point_task.NAME, out=file, rows=8, better=two_agents[0], worse=two_agents[1])
    settings = tiny(two_agents, start_from=start)
    given = dataclasses.replace(settings, data=str(file), better=None, worse=None, data_draws=None)
    ended = kept(given, tmp_path / "run")
    policy, _ = agent_files.load(two_agents[0])
    np.testing.assert_allclose(ended.observation_mean, policy.observation_mean)
    assert start in (tmp_path / "run" / "config.json").read_text()


def test_layers_are_refused_where_an_agent_brings_its_own(two_agents, tmp_path):
    with pytest.raises(ValueError, match="--start-from random"):
        bench.run(tiny(two_agents, start_from=str(two_agents[0]), hidden=(8,)), tmp_path / "run")
    with pytest.raises(ValueError, match="--start-from random"):
        bench.run(BenchSettings(task="tla", hidden=(256, 256)), tmp_path / "tla")
    with pytest.raises(ValueError, match="--start-from random"):
        search.discover(DiscoverySettings(task="tla", hidden=(256, 256)), tmp_path / "found")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="at least 1 unit"):
        tiny(two_agents, hidden=(8, 0))
    with pytest.raises(ValueError, match="at least 1 hidden layer"):
        tiny(two_agents, hidden=())


def test_a_start_of_another_robot_is_refused(two_agents, tmp_path):
    with pytest.raises(ValueError, match="observations"):
        bench.run(tiny(two_agents, start_from="hopper-expert"), tmp_path / "run")
    file = tmp_path / "pool.safetensors"
    mpo.generate(point_task.NAME, out=file, rows=8, better=two_agents[0], worse=two_agents[1])
    with pytest.raises(ValueError, match="for 11 observations and 3 actions"):
        bench.run(
            BenchSettings(data=str(file), task=point_task.NAME, start_from="hopper-expert"),
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_random_is_no_agents_name():
    assert sources.start_of("tla") == "ant-original"
    assert sources.start_of("tla", "random") is None
    assert sources.choose("tla", start="random").start is None
    assert sources.start_of("hopper") is None
    assert "random" not in {card.name for card in agent_files.shipped()}


@pytest.mark.parametrize("settings", [BenchSettings(), DiscoverySettings()])
def test_a_run_records_its_start_only_where_it_is_chosen(settings):
    assert not {"start_from", "hidden"} & set(settings.recorded)
    chosen = dataclasses.replace(settings, start_from="random", hidden=(8,))
    assert chosen.recorded["start_from"] == "random"
    assert chosen.recorded["hidden"] == (8,)
