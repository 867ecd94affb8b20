import dataclasses
import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo.agents import agent_files, ppo, training_run
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training_settings import PPOSettings
from tests import point_task

OLD_AGENTS = Path(__file__).parents[1] / "data" / "agents-0.1.0"
TINY = PPOSettings(
    total_steps=4 * 16 * 5,
    environments=16,
    rollout_steps=5,
    minibatches=2,
    epochs=1,
    hidden=(8,),
    value_hidden=(8,),
)


@pytest.fixture(scope="module")
def point():
    return tasks.load(point_task.NAME, episode_length=60)


@pytest.fixture(scope="module")
def two_points(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("points"))


def leaves(policy):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(policy)]


def test_a_saved_agent_comes_back_bit_for_bit(two_agents, tmp_path):
    policy, card = agent_files.load(two_agents[0])
    agent_files.save(tmp_path / "copy", policy, card)
    again, card_again = agent_files.load(tmp_path / "copy.safetensors")
    assert card_again == card
    for a, b in zip(leaves(policy), leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_unknown_agent_names_the_near_ones():
    with pytest.raises(ValueError, match="hopper-expert"):
        agent_files.load("hoper-expert")


def test_truncated_foreign_and_changed_agent_files_are_refused(two_agents, tmp_path):
    path = tmp_path / "agent.safetensors"
    agent_files.save(path, *agent_files.load(two_agents[0]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match="truncated"):
        agent_files.load(path)
    changed = bytearray(whole)
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(ValueError, match="checksum"):
        agent_files.load(path)
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match="not an agent file"):
        agent_files.load(path)


@pytest.mark.parametrize("robot", ["point", pytest.param("hopper", marks=pytest.mark.slow)])
def test_returns_do_not_depend_on_company_and_repeat(
    robot, optimised, hopper, point, two_agents, two_points
):
    task, paths = (hopper, two_agents) if robot == "hopper" else (point, two_points)
    policies = [agent_files.load(path)[0] for path in paths]
    both = jax.tree.map(lambda *x: np.stack(x), *policies)
    second = jax.tree.map(lambda x: x[None], policies[1])
    together = evaluation.returns(both, task, episodes=60, seed=5)
    alone = evaluation.returns(second, task, episodes=60, seed=5)
    assert together.shape == (2, 60)
    np.testing.assert_array_equal(together[1], alone[0])
    assert len(np.unique(alone)) > 50, "every episode has its own start state"


@pytest.mark.slow
def test_contacts_make_no_other_return_of_company_or_of_more_episodes(optimised):
    """The Ant's feet: where last digits differ, returns do by tens."""
    policies = [agent_files.load(name)[0] for name in ("tla-target", "ant-original")]
    found = {
        count: evaluation.returns(
            jax.tree.map(lambda *x: np.stack(x), *[policies[at % 2] for at in range(count)]),
            tasks.load("tla"),
            episodes=6,
            seed=5,
            deterministic=True,
        )
        for count in (1, 2, 3, 5)
    }
    for count, returned in found.items():
        np.testing.assert_array_equal(returned[0], found[2][0], f"{count} agents")


@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
def test_one_program_scores_any_number_of_jobs(jobs, monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 3)
    parts = evaluation._parts(jobs)
    assert {len(part) for part in parts} == {3}
    assert np.concatenate(parts)[:jobs].tolist() == list(range(jobs))
    assert np.concatenate(parts).max() == jobs - 1
    monkeypatch.setattr(evaluation, "items_at_once", lambda: 32)
    assert [len(part) for part in evaluation._parts(jobs)] == [jobs]


def test_one_program_evaluates_episodes_of_every_length(two_points):
    policy = jax.tree.map(lambda x: x[None], agent_files.load(two_points[0])[0])
    found = [
        evaluation.score(policy, tasks.load(point_task.NAME, episode_length=steps), episodes=2)
        for steps in (3, 5)
    ]
    assert [score.lengths.max() for score in found] == [3, 5]
    compiled = evaluation._roll_out._cache_size()
    evaluation.score(policy, tasks.load(point_task.NAME, episode_length=4), episodes=2)
    assert evaluation._roll_out._cache_size() == compiled


def test_a_policy_that_is_not_finite_has_no_return(point, two_points):
    policy, _ = agent_files.load(two_points[0])
    broken = policy.replace(observation_mean=policy.observation_mean.at[0].set(np.nan))
    both = jax.tree.map(lambda *x: np.stack(x), policy, broken)
    found = evaluation.returns(both, point, episodes=2)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_episodes_below_one_are_refused(hopper, two_agents):
    policy = jax.tree.map(lambda x: x[None], agent_files.load(two_agents[0])[0])
    with pytest.raises(ValueError, match="episodes"):
        evaluation.returns(policy, hopper, episodes=0)


def test_ppo_continues_after_a_kill_to_the_same_policy(point, tmp_path):
    class Killed(Exception):
        pass

    def kill(point, total):
        if point.environment_steps == 2 * TINY.steps_an_iteration:
            raise Killed

    arguments = {"evaluate_every": TINY.steps_an_iteration, "save_every_seconds": 0.0}
    whole = training_run.train(point, TINY, 0, tmp_path / "whole", **arguments)
    with pytest.raises(Killed):
        training_run.train(point, TINY, 0, tmp_path / "cut", progress=kill, **arguments)
    rest = training_run.train(point, TINY, 0, tmp_path / "cut", **arguments)
    for a, b in zip(
        leaves(agent_files.load(whole)[0]), leaves(agent_files.load(rest)[0]), strict=True
    ):
        np.testing.assert_array_equal(a, b)

    steps = [
        json.loads(line)["environment_steps"]
        for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == [TINY.steps_an_iteration * n for n in (1, 2, 3, 4)], "no point twice"

    curve = tmp_path / "curve"
    left_out = shutil.ignore_patterns(training_run.CHECKPOINTS, "state.safetensors")
    shutil.copytree(tmp_path / "whole", curve, ignore=left_out)
    before = (curve / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match="but not checkpoints, from which it would resume"):
        training_run.train(point, TINY, 0, curve, **arguments)
    assert (curve / "metrics.jsonl").read_bytes() == before

    picked = training_run.pick(tmp_path / "whole", point, 20.0, "chosen", candidates=2, episodes=6)
    assert picked.episodes == 6
    assert agent_files.load(tmp_path / "whole" / "chosen")[1] == picked

    own = [
        tmp_path / "whole" / name for name in ("config.json", "state.safetensors", "metrics.jsonl")
    ]
    before = [path.read_bytes() for path in own]
    for name, message in (
        ("config", r"config\.json exists already, and is no card"),
        ("state", r"state\.safetensors exists already, and is no agent"),
        ("../config", "is no file's name"),
    ):
        with pytest.raises(ValueError, match=message):
            training_run.pick(tmp_path / "whole", point, 20.0, name, candidates=2, episodes=6)
    with pytest.raises(ValueError, match="candidates must be at least 1"):
        training_run.pick(tmp_path / "whole", point, 20.0, "chosen", candidates=0)
    training_run.pick(tmp_path / "whole", point, 20.0, "chosen", candidates=2, episodes=6)
    assert [path.read_bytes() for path in own] == before

    with pytest.raises(ValueError, match="other settings"):
        training_run.train(point, TINY, 1, tmp_path / "whole", **arguments)


class Counting:
    """Stands for a PPO trainer: its state is the number of its updates."""

    def __init__(self, task, settings):
        pass

    def start(self, seed, policy=None):
        return jnp.zeros((), jnp.int32)

    def advance(self, state, updates):
        return state + updates

    def policy(self, state):
        return None


def test_ppo_that_continues_looks_for_its_goal_only_where_an_uninterrupted_run_does(
    point, tmp_path, monkeypatch
):
    class Killed(Exception):
        pass

    def kill(point, total):
        if point.environment_steps == 2 * TINY.steps_an_iteration:
            raise Killed

    def promises_less_than_it_holds(policy, task, episodes, seed):
        return (1.0 if episodes == training_run.QUICK_EPISODES else 100.0), 0.1

    monkeypatch.setattr(training_run, "PPOTrainer", Counting)
    monkeypatch.setattr(agent_files, "evaluate", promises_less_than_it_holds)
    monkeypatch.setattr(agent_files, "save", lambda path, policy, card: None)
    arguments = {"evaluate_every": TINY.steps_an_iteration, "save_every_seconds": 0.0}
    arguments["until_return"] = 10.0
    whole = training_run.train(point, TINY, 0, tmp_path / "whole", **arguments)
    with pytest.raises(Killed):
        training_run.train(point, TINY, 0, tmp_path / "cut", progress=kill, **arguments)
    rest = training_run.train(point, TINY, 0, tmp_path / "cut", **arguments)
    assert rest.name == whole.name


def test_an_agent_without_a_bound_is_trained_without_one(point, two_points, tmp_path):
    bounded, _ = agent_files.load(two_points[0])
    free = dataclasses.replace(TINY, mean_limit=None, hidden=bounded.hidden)
    start = dataclasses.replace(bounded, mean_limit=None)
    path = training_run.train(point, free, 0, tmp_path / "run", start=start)
    assert agent_files.load(path)[0].mean_limit is None
    for given, policy, message in (
        (free, bounded, "mean_limit is None, but that of the policy to begin from is 1.0"),
        (dataclasses.replace(free, mean_limit=1.0), start, "mean_limit is 1.0, but"),
        (dataclasses.replace(free, hidden=(5,)), start, r"hidden is \(5,\), but"),
    ):
        with pytest.raises(ValueError, match=message):
            training_run.train(point, given, 0, tmp_path / "other", start=policy)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="mean_limit must be positive"):
        PPOSettings(mean_limit=0.0)


@pytest.mark.parametrize(("push", "least", "most"), [(0.0, 0.3, 0.5), (50.0, 0.0, 0.001)])
def test_noise_is_what_reaches_the_motors(push, least, most, point, two_points):
    policy, card = agent_files.load(two_points[0])
    arrays = agent_files.pack(policy)
    arrays["mean.bias"] = np.full_like(arrays["mean.bias"], push)
    asking = agent_files.unpack(arrays, None)
    card = dataclasses.replace(card, episodes=4)
    assert least <= agent_files.measured(asking, point, card).noise <= most


def test_an_agent_of_another_robot_and_numbers_out_of_range_are_refused_before_training(
    point, tmp_path
):
    zeros, ones = np.zeros(5, "f4"), np.ones(5, "f4")
    other = new_policy(jax.random.key(0), 3, zeros, ones, (8,))
    for message, given in (
        ("5 observations, but task 'point'", {"start": other}),
        ("evaluate_every must be at least 1, not 0", {"evaluate_every": 0}),
        ("seed must be between", {"seed": 2**40}),
    ):
        with pytest.raises(ValueError, match=message):
            training_run.train(point, TINY, **{"seed": 0, "out": tmp_path / "run", **given})
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="hidden: each layer has at least 1 unit, not 0"):
        PPOSettings(hidden=(8, 0))


@pytest.mark.parametrize("content", ["[1]", "{}", '{"settings": {"task": "hopper"}}'])
def test_a_folder_that_is_no_run_of_training_names_no_task(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"no run of|JSON object"):
        training_run.task_of(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"environments": 15}, "multiple of the number of devices"),
        ({"environments": 16, "rollout_steps": 5, "minibatches": 3}, "multiple of minibatches"),
    ],
)
def test_settings_that_do_not_divide_are_refused(point, settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        training_run.train(point, PPOSettings(**settings), 0, tmp_path)


def test_the_running_moments_of_ppo_are_those_of_all_batches_together():
    draw = np.random.default_rng(0)
    batches = [draw.normal(3.0, 2.0, size=(50, 4)) for _ in range(3)]
    moments = ppo.Moments(batches[0].mean(0), batches[0].var(0), 50)
    for batch in batches[1:]:
        moments = moments.updated(batch)
    together = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, together.mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, together.var(0), rtol=1e-5)
    assert moments.count == 150


def test_an_agent_of_version_0_1_0_loads_with_its_unbounded_mean():
    policy, card = agent_files.load(OLD_AGENTS / "hopper-bad.safetensors")
    assert card.name == "hopper-bad"
    assert policy.mean_limit is None
    mean, _ = policy.moments(jnp.full(11, 50.0))
    assert np.isfinite(mean).all()


def test_an_agent_of_version_0_1_0_in_units_of_its_own_is_refused():
    with pytest.raises(ValueError, match=r"acts in units of 0\.25 motor commands"):
        agent_files.load(OLD_AGENTS / "ant-original.safetensors")


def test_advantages_are_the_generalised_ones_and_go_on_at_the_time_limit_alone():
    """Against the sums written out, for a fall, a time limit and neither."""
    draw = np.random.default_rng(1)
    value, after, reward = (jnp.asarray(draw.normal(size=(3, 4)), "f4") for _ in range(3))
    fell, over = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    fell[0, 1] = over[0, 1] = True
    over[1, 2] = True
    settings = PPOSettings(discount=0.9, gae_lambda=0.8)
    nothing = jnp.zeros((3, 4))
    batch = ppo.RolloutSteps(nothing, nothing, nothing, reward, nothing, fell, over, nothing)
    found, target = ppo._advantages(value, after, batch, settings)
    for robot in range(3):
        for step in range(4):
            expected, weight = 0.0, 1.0
            for t in range(step, 4):
                future = 0.0 if fell[robot, t] else 0.9 * after[robot, t]
                expected += weight * (reward[robot, t] + future - value[robot, t])
                if over[robot, t]:
                    break
                weight *= 0.9 * 0.8
            np.testing.assert_allclose(found[robot, step], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(target, found + value, rtol=1e-6, atol=1e-6)
