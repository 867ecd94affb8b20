"""Tasks of Gymnasium: scores are those of the plain environment, episode by episode."""

import pickle
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("gymnasium")

from mirrorpo.agents import agent_files, training_run
from mirrorpo.agents.ppo_trainer import PPOTrainer
from mirrorpo.preferences import data
from mirrorpo.runtime.pytrees import load_tree, save_tree
from mirrorpo.simulation import evaluation, host_rollout, rollout, slots, tasks
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training_settings import PPOSettings
from mirrorpo.user_text import UserText
from tests import gym_envs, point_task

MASS = "gym:mirrorpo/Mass-v0"
ENVS = f"{gym_envs.__file__}:"
SMALL = PPOSettings(
    total_steps=2048, environments=8, rollout_steps=32, minibatches=4, learning_rate=2e-3
)


def user(name):
    return UserText(ENVS + name)


def policies(count=1, std=1.0, push=0.0, size=2):
    made = []
    for seed in range(count):
        zeros, ones = np.zeros(size, "f4"), np.ones(size, "f4")
        policy = new_policy(jax.random.key(seed), 1, zeros, ones, (8,), initial_std=std)
        layer = policy.parameters["params"]["mean"]
        layer["kernel"], layer["bias"] = 30 * layer["kernel"], layer["bias"] + push
        made.append(policy)
    return jax.tree.map(lambda *x: jax.numpy.stack(x), *made)


def by_hand(policy, env, start_key, noise_key, limit):
    """The episode of one policy in one plain environment: observations, actions, return."""
    (seed,) = slots.seeds_of(start_key[None])
    seen, _ = env.reset(seed=int(seed[0]) << 32 | int(seed[1]))
    observations, actions, total = [], [], np.float32(0)
    act = jax.jit(policy.act)
    for time in range(limit):
        seen = seen.astype(np.float32)
        action = np.asarray(act(seen, jax.random.fold_in(noise_key, time)))
        observations.append(seen)
        actions.append(action)
        # Of [0, 4]: the policy's -1 is 0, its 1 is 4.
        seen, reward, fell, _, _ = env.step((2 + 2 * np.clip(action, -1, 1)).astype(np.float32))
        total += np.float32(reward)
        if fell:
            break
    return np.array(observations), np.array(actions), total


def test_an_episode_is_that_of_the_plain_environment_with_the_same_seed_and_noise():
    task = tasks.load(MASS)
    # It pushes to one side: some episodes end by a fall, all others after 60 steps.
    policy = policies(push=0.15)
    starts, noises = rollout.episode_keys(jax.random.key(3), 18)
    found = host_rollout.run(
        task, host_rollout.several(policy), np.zeros(18, int), starts, noises, record=True
    )
    one = jax.tree.map(lambda x: x[0], policy)
    for episode in (0, 5, 11, 17):
        seen, actions, total = by_hand(one, gym_envs.Mass(), starts[episode], noises[episode], 60)
        steps = found.length[episode]
        assert steps == len(seen)
        np.testing.assert_allclose(found.observations[episode, :steps], seen, atol=1e-4)
        np.testing.assert_allclose(found.actions[episode, :steps], actions, atol=1e-4)
        np.testing.assert_allclose(found.returns[episode], total, atol=1e-3)
        assert not found.observations[episode, steps:].any()
    assert 1 <= found.length.min() < 60 == found.length.max()
    scored = evaluation.score(policy, task, 18, 3)
    np.testing.assert_array_equal(scored.returns[0], found.returns)
    np.testing.assert_array_equal(scored.lengths[0], found.length)


def test_a_return_does_not_depend_on_what_runs_beside_it():
    task = tasks.load(MASS)
    several = policies(3)
    together = evaluation.score(several, task, 21, [5, 6, 7]).returns
    for at, seed in enumerate((5, 6, 7)):
        alone = jax.tree.map(lambda x, at=at: x[at : at + 1], several)
        np.testing.assert_array_equal(
            evaluation.score(alone, task, 21, seed).returns[0], together[at]
        )
    assert evaluation.score(several, task, 3, 5).returns.shape == (3, 3)
    lost = jax.tree.map(lambda x: x.at[1].set(np.nan), several)
    returns = evaluation.score(lost, task, 21, [5, 6, 7]).returns
    assert np.isnan(returns[1]).all()
    np.testing.assert_array_equal(returns[[0, 2]], together[[0, 2]])


def test_stepped_from_python_a_compiled_task_gives_the_compiled_episodes():
    task = tasks.load(point_task.NAME, episode_length=70)
    policy = policies(push=0.3)
    one = jax.tree.map(lambda x: x[0], policy)
    keys = rollout.episode_keys(jax.random.key(1), 20)
    compiled = jax.jit(lambda *keys: rollout.record(task, one, *keys))(*keys)
    stepped = host_rollout.run(
        task, host_rollout.several(policy), np.zeros(20, int), *keys, record=True
    )
    for name, wanted in compiled._asdict().items():
        np.testing.assert_allclose(getattr(stepped, name), wanted, atol=1e-4, err_msg=name)


def test_the_environments_own_limit_cuts_episodes_and_only_less_can_be_asked_for():
    assert tasks.load(MASS).episode_length == 60
    assert tasks.load(user("make")).episode_length == 30
    assert tasks.load(user("endless")).episode_length == 1000
    shorter = tasks.load(MASS, episode_length=7)
    assert (evaluation.score(policies(), shorter, 3).lengths == 7).all()
    with pytest.raises(ValueError, match="end after 60 steps"):
        tasks.load(MASS, episode_length=61)
    with pytest.raises(ValueError, match="at least 1"):
        tasks.load(MASS, episode_length=0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gym:mirrorpo/Dictionary-v0", "Dict observations.*FlattenObservation"),
        ("gym:mirrorpo/Image-v0", r"observations of shape \(8, 8, 3\).*FlattenObservation"),
        ("gym:mirrorpo/Unbounded-v0", "actions without bounds.*RescaleAction"),
        ("gym:mirrorpo/Several-v0", "MultiDiscrete actions"),
        ("gym:mirrorpo/Mas-v0", "no environment 'mirrorpo/Mas-v0'.*gym:mirrorpo/Mass-v0"),
        ("gym:Hoper-v5", "Did you mean gym:Hopper-v5"),
        ("gym:some.module:Mass-v0", "may not name code"),
        (user("number"), "returns int: it must return an environment of Gymnasium"),
        (user("failing"), "fails: OSError: no such robot"),
        (user("leaving"), "fails: SystemExit: 0"),
        (user("same"), "same environment again"),
        (user("mak"), "no function 'mak'.* Did you mean make"),
        (UserText("nowhere.py:make"), "No task file at nowhere.py"),
        (ENVS + "make", "name it yourself, by --task"),
    ],
)
def test_what_is_no_task_is_said_in_one_line(name, said):
    with pytest.raises(ValueError, match=said) as error:
        tasks.load(name)
    assert "\n" not in str(error.value)


def test_a_task_has_no_backend_to_choose_and_no_penalty():
    with pytest.raises(ValueError, match="no choice of a backend"):
        tasks.load(MASS, backend="mjx")
    with pytest.raises(ValueError, match="has no penalty"):
        tasks.load(MASS, penalty_coefficient=1.0)
    with pytest.raises(ValueError, match="cannot be drawn: only MirrorPO's own"):
        tasks.robot(MASS, "drawn")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Raises", "fails in step: RuntimeError: the motor is hot"),
        ("NotANumber", "reward that is not finite: nan"),
    ],
)
def test_an_environment_that_fails_in_an_episode_is_said_in_one_line(name, said):
    with pytest.raises(ValueError, match=said) as error:
        evaluation.score(policies(), tasks.load(user(name)), 2)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("gym:Pendulum-v1", "gymnasium", "gym"),
        ("playground:WalkerWalk", "mujoco_playground", "playground"),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"pip install 'mirrorpo\[{extra}\]'"):
        tasks.load(name)


def test_a_file_named_by_a_card_is_never_run(tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    card = agent_files.AgentCard("x", f"{trap}:make", "gymnasium", 0.0, 1.0, 1, 0, 0, 0)
    with pytest.raises(ValueError, match="may not name code to run"):
        tasks.load(card.task, card.backend)
    assert not (tmp_path / "ran").exists()


def test_a_task_travels_to_another_process_and_a_changed_file_is_another_task(tmp_path):
    text = Path(gym_envs.__file__).read_text().partition("for name, kind")[0]
    file = tmp_path / "robot.py"
    file.write_text(text)
    first = tasks.load(UserText(f"{file}:Mass"))
    again = pickle.loads(pickle.dumps(first))
    assert again == first
    assert again.make() is not first.make()
    file.write_text(text + "\nCHANGED = True\n")
    assert tasks.load(UserText(f"{file}:Mass")) != first


def test_a_function_that_returns_a_compiled_environment_makes_a_compiled_task(tmp_path):
    file = tmp_path / "robot.py"
    file.write_text("from tests.point_task import Point\n\n\ndef make():\n    return Point()\n")
    task = tasks.load(UserText(f"{file}:make"), episode_length=50)
    assert tasks.is_compiled(task)
    own = tasks.load(point_task.NAME, episode_length=50)
    wanted = evaluation.score(policies(), own, 5, 2).returns
    np.testing.assert_array_equal(evaluation.score(policies(), task, 5, 2).returns, wanted)
    assert pickle.loads(pickle.dumps(task)) == task
    file.write_text(file.read_text() + "\n")
    tasks._user_env.cache_clear()  # as in another process
    with pytest.raises(ValueError, match="has changed"):
        pickle.loads(pickle.dumps(task))


def write_agents(folder):
    paths = []
    for at, name in enumerate(("better", "worse")):
        policy = jax.tree.map(lambda x, at=at: x[at], policies(2))
        card = agent_files.AgentCard(name, MASS, "gymnasium", 0.0, 1.0, 1, 0, 0, at)
        agent_files.save(folder / name, policy, card)
        paths.append(folder / f"{name}.safetensors")
    return paths


def test_the_trajectories_of_a_row_share_a_start_state_and_a_pool_is_made_again_alike(tmp_path):
    agents = write_agents(tmp_path)
    task = tasks.load(MASS)
    pool = data.simulate(task, 105, 4, *agents)
    made = pool.trajectories
    first = made.observations[:, 0].reshape(105, 4, 2)
    np.testing.assert_array_equal(first, np.repeat(first[:, :1], 4, axis=1))
    assert len(np.unique(first[:, 0, 0])) == 105
    np.testing.assert_array_equal(made.agent.reshape(105, 4), [[0, 0, 1, 1]] * 105)
    # More rows begin with the same ones.
    again = data.simulate(task, 3, 4, *agents).trajectories
    for name in data.Trajectories.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name)[:12])
    assert data.label(pool, "noisy:0.3", 0).rows == 105


@pytest.mark.slow  # its short form is in test_categorical.py, where PPO learns a discrete one
def test_ppo_learns_a_gymnasium_task_with_the_same_update():
    settings = PPOSettings(
        total_steps=20_000,
        environments=16,
        rollout_steps=32,
        minibatches=8,
        learning_rate=3e-3,
        discount=0.95,
        initial_std=0.5,
    )
    task = tasks.load(MASS)
    trainer = PPOTrainer(task, settings)
    state = trainer.start(0)

    def mean(state):
        stacked = jax.tree.map(lambda x: jax.numpy.asarray(x)[None], trainer.policy(state))
        return evaluation.returns(stacked, task, 40, 1, deterministic=True).mean()

    before = mean(state)
    # At most 60; without a push the mass drifts to where it earns less.
    after = mean(trainer.advance(state, 39))
    assert after > max(before, 50)


def test_ppo_that_was_saved_and_loaded_continues_number_for_number(tmp_path):
    task = tasks.load(MASS)
    whole = PPOTrainer(task, SMALL)
    state = whole.advance(whole.start(0), 2)
    save_tree(tmp_path / "state.safetensors", state, {"format": "x"})
    end = whole.policy(whole.advance(state, 2))
    resumed = PPOTrainer(task, SMALL)
    loaded, _ = load_tree(tmp_path / "state.safetensors", resumed.start(9), "x", "a state")
    again = resumed.policy(resumed.advance(loaded, 2))
    jax.tree.map(np.testing.assert_array_equal, end, again)


def test_a_training_run_records_the_task_and_refuses_a_changed_file(tmp_path):
    file = tmp_path / "robot.py"
    file.write_text(Path(gym_envs.__file__).read_text().partition("for name, kind")[0])
    name = UserText(f"{file}:Mass")
    path = training_run.train(tasks.load(name), SMALL, 0, tmp_path / "run", evaluate_every=1024)
    policy, card = agent_files.load(path)
    assert (card.task, card.backend) == (name, "gymnasium")
    measured = agent_files.measured(policy, tasks.load(name, episode_length=60), card)
    assert measured.noise is not None
    assert measured.noise > 0
    file.write_text(file.read_text() + "\n# changed\n")
    with pytest.raises(ValueError, match="another"):
        training_run.train(tasks.load(name), SMALL, 0, tmp_path / "run", evaluate_every=1024)


def test_mujocos_hopper_is_a_task_of_its_own_sizes():
    pytest.importorskip("imageio")
    task = tasks.load("gym:Hopper-v5")
    assert (task.observation_size, task.action_size, task.episode_length) == (11, 3, 1000)
    zeros, ones = np.zeros(11, "f4"), np.ones(11, "f4")
    policy = new_policy(jax.random.key(0), 3, zeros, ones)
    stacked = jax.tree.map(lambda x: x[None], policy)
    scored = evaluation.score(stacked, task, 3, 0)
    np.testing.assert_array_equal(scored.returns, evaluation.score(stacked, task, 3, 0).returns)
    assert (scored.lengths < 1000).all()


PROPORTIONAL = """
import numpy as np

def act(observations):
    assert observations.dtype == np.float32
    return np.clip(-observations[:, :1] - observations[:, 1:], -1, 1)

def flat(observations):
    return np.zeros(len(observations))

def wide(observations):
    return np.zeros((len(observations), 2))

def lost(observations):
    return np.full((len(observations), 1), np.nan)

def raises(observations):
    raise KeyError("gain")

def leaves(observations):
    raise SystemExit(0)
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "policy.py").write_text(PROPORTIONAL)
    return lambda name: UserText(f"{tmp_path / 'policy.py'}:{name}")


@pytest.mark.parametrize("name", [MASS, point_task.NAME])
def test_a_policy_of_the_users_is_scored_and_is_a_source_on_each_task(tmp_path, own, name):
    task = tasks.load(name, episode_length=40)
    good, _ = agent_files.load_source(own("act"), "--better")
    idle, _ = agent_files.load_source(own("flat"), "--better")
    assert agent_files.evaluate(good, task, 20)[0] > agent_files.evaluate(idle, task, 20)[0]
    agent = write_agents(tmp_path)[0]
    pool = data.simulate(task, 4, 0, own("act"), agent)
    made = pool.trajectories
    np.testing.assert_array_equal(made.agent.reshape(4, 4), [[0, 0, 1, 1]] * 4)
    seen, done = made.observations[made.agent == 0], made.actions[made.agent == 0]
    np.testing.assert_allclose(
        done[..., 0], np.clip(-seen[..., 0] - seen[..., 1], -1, 1), atol=1e-6
    )
    # The other source acts as it does beside any other.
    beside = data.simulate(task, 4, 0, own("flat"), agent).trajectories
    of_agent = made.agent == 1
    np.testing.assert_array_equal(made.actions[of_agent], beside.actions[of_agent])
    assert pool.card["better"] == {"name": own("act"), "code": good.code}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wide", r"actions of shape \(\d+, 2\) .* must give \(\d+, 1\)"),
        ("lost", "an action that is not finite"),
        ("raises", "fails: KeyError: 'gain'"),
        ("leaves", "fails: SystemExit: 0"),
        ("nothing", "has no function 'nothing'"),
    ],
)
def test_a_policy_of_the_users_that_fails_is_said_in_one_line(own, name, said):
    def score():
        policy, _ = agent_files.load_source(own(name), "--better")
        agent_files.evaluate(policy, tasks.load(MASS), 2)

    with pytest.raises(ValueError, match=said) as error:
        score()
    assert "\n" not in str(error.value)


def test_two_functions_of_one_file_are_two_sources_and_a_card_names_neither(own):
    assert agent_files.source_checksum(own("act")) != agent_files.source_checksum(own("flat"))
    with pytest.raises(ValueError, match="may not name code to run"):
        agent_files.load_source(str(own("act")) + "", "--better")
