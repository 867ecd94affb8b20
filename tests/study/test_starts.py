"""What agents start from: the task's own agent, one of the user's, or random networks."""

import dataclasses

import jax
import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo import protocols
from mirrorpo.agents import agent_files, sources
from mirrorpo.agents.widening import widened
from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.simulation.policy import new_policy
from mirrorpo.study import bench
from mirrorpo.study.settings import BenchSettings
from mirrorpo.training_settings import PPOSettings
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


@pytest.mark.parametrize("name", ["ant-original", "hopper-bad"])
def test_a_widened_agent_acts_as_before(name):
    shipped, _ = agent_files.load(name)
    wide = widened(shipped, (256, 100))
    assert wide.hidden == (256, 100)
    seen = np.random.default_rng(0).normal(size=(20, shipped.observation_size))
    np.testing.assert_allclose(wide.act(seen, None), shipped.act(seen, None), atol=2e-6)
    assert widened(shipped, shipped.hidden).hidden == shipped.hidden


def test_a_widened_chooser_of_discrete_actions_acts_as_before():
    narrow = new_policy(jax.random.key(0), 1, np.zeros(4), np.ones(4), (6, 5), choices=3)
    wide = widened(narrow, (9, 8))
    seen = np.random.default_rng(0).normal(size=(20, 4))
    before, after = (p.log_prob(p.parameters, seen, np.ones((20, 1), int)) for p in (narrow, wide))
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_every_weight_of_a_widened_agent_is_trained(two_agents, tmp_path):
    start, ended = (
        kept(tiny(two_agents, start_from=str(two_agents[0]), hidden=(20,), **more), tmp_path / k)
        for k, more in (("start", {}), ("ended", {"epochs": 4, "learning_rate": 1e-3}))
    )
    assert ended.hidden == (20,)
    for before, after in zip(
        *map(jax.tree.leaves, (start.parameters, ended.parameters)), strict=True
    ):
        assert np.all(np.abs(np.asarray(after) - np.asarray(before)) > 1e-7)


def test_an_agent_is_not_narrowed(two_agents, tmp_path):
    with pytest.raises(ValueError, match="--start-from random"):
        bench.run(tiny(two_agents, start_from=str(two_agents[0]), hidden=(6,)), tmp_path / "run")
    with pytest.raises(ValueError, match="layers of 64 x 64 units can only be widened: 256 x 32"):
        bench.run(BenchSettings(task="tla", hidden=(256, 32)), tmp_path / "tla")
    with pytest.raises(ValueError, match="Agents start from ant-original"):
        search.discover(DiscoverySettings(task="tla", hidden=(256,)), tmp_path / "found")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [BenchSettings, DiscoverySettings, protocols.Training])
def test_layers_may_be_a_list(kind):
    settings = kind(hidden=[8, 4])
    assert settings.hidden == (8, 4)
    hash(settings.hidden)
    assert PPOSettings(hidden=[8], value_hidden=[4]).hidden == (8,)


def test_a_list_of_the_usual_layers_is_no_choice():
    assert "hidden" not in BenchSettings(hidden=[64, 64]).recorded


def test_layers_have_units(two_agents):
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
