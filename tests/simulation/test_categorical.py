"""The categorical policy: its probabilities, its files, and all that is trained on its data."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.agents import agent_files
from mirrorpo.simulation import tasks
from mirrorpo.simulation.categorical import LEAST_SHARE, CategoricalActor
from mirrorpo.simulation.policy import hold_std, new_policy, start_std
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings

SEEN = jax.random.normal(jax.random.key(1), (200, 2))


def a_policy(seed=0, choices=3, scale=1.0):
    policy = new_policy(
        jax.random.key(seed), 1, np.zeros(2, "f4"), np.ones(2, "f4"), (8,), choices=choices
    )
    layer = policy.parameters["params"]["logits"]
    layer["kernel"] = scale * layer["kernel"]
    return policy


def _mean_log_prob(parameters, policy):
    return policy.log_prob(parameters, SEEN, jnp.zeros((200, 1))).mean()


def test_probabilities_sum_to_one_and_keep_off_zero_and_one_however_large_the_logits():
    for scale in (1.0, 1e4):
        policy = a_policy(scale=scale)
        actions = jnp.broadcast_to(jnp.arange(3.0)[:, None, None], (3, 200, 1))
        log_probs = policy.log_prob(policy.parameters, SEEN[None], actions)
        probabilities = np.exp(np.asarray(log_probs, np.float64))
        np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-5)
        assert probabilities.min() >= LEAST_SHARE / 3 * 0.999
        assert probabilities.max() <= 1 - LEAST_SHARE * 2 / 3 * 0.999
        actor = CategoricalActor(3, (8,))
        entropy = actor.apply(policy.parameters, SEEN, method="entropy")
        wanted = -(probabilities * np.log(probabilities)).sum(axis=0)
        np.testing.assert_allclose(entropy, wanted, atol=1e-4)
        agreement = policy.log_agreement(policy.parameters, SEEN)
        np.testing.assert_allclose(agreement, np.log((probabilities**2).sum(axis=0)), atol=1e-4)
        slope = jax.grad(_mean_log_prob)(policy.parameters, policy)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_sampled_choices_have_the_policys_probabilities_and_the_mode_is_the_likeliest():
    policy = a_policy(scale=100.0)
    seen = jnp.broadcast_to(SEEN[0], (20_000, 2))
    actions = policy.act(seen, jax.random.key(0))
    assert actions.shape == (20_000, 1)
    share = np.bincount(np.asarray(actions[:, 0], int), minlength=3) / 20_000
    each = jnp.arange(3.0)[:, None]
    wanted = np.exp(policy.log_prob(policy.parameters, jnp.broadcast_to(SEEN[0], (3, 2)), each))
    np.testing.assert_allclose(share, wanted, atol=0.015)
    assert int(policy.act(SEEN[0], None)[0]) == int(np.argmax(wanted))


def test_an_agent_file_keeps_the_policy(tmp_path):
    policy = a_policy()
    card = agent_files.AgentCard("x", "gym:CartPole-v1", "gymnasium", 0.0, 1.0, 1, 0, 0, 0)
    agent_files.save(tmp_path / "x", policy, card)
    read, _ = agent_files.load(tmp_path / "x.safetensors")
    assert (read.choices, read.action_size, read.observation_size) == (3, 1, 2)
    jax.tree.map(np.testing.assert_array_equal, read, policy)
    arrays = agent_files.pack(policy)
    del arrays["logits.bias"]
    with pytest.raises(ValueError, match=r"logits\.bias is missing"):
        agent_files.unpack(arrays)


def test_it_has_no_standard_deviation_to_hold():
    parameters = a_policy().parameters
    assert start_std(parameters, "fixed:0.5") is parameters
    assert hold_std(parameters, "fixed:0.5") is parameters


@pytest.fixture(scope="module")
def dataset():
    """Rows of which the chosen trajectory always takes the third choice, the rejected the first."""
    from mirrorpo.preferences.data import PreferenceDataset, Trajectories

    draw = np.random.default_rng(0)
    observations = draw.normal(size=(80, 6, 2)).astype("f4")
    actions = np.repeat([[[2.0]], [[0.0]]], 40, axis=0).astype("f4") * np.ones((80, 6, 1), "f4")
    made = Trajectories(
        observations,
        actions,
        np.full(80, 6, "i4"),
        np.repeat([5.0, 1.0], 40).astype("f4"),
        np.repeat([0, 1], 40).astype("i1"),
        np.tile(np.arange(40), 2).astype("i4"),
    )
    card = {"task": "gym:x", "backend": "gymnasium", "episode_length": 6, "choices": 3}
    return PreferenceDataset(made, np.arange(40, dtype="i4"), np.arange(40, 80, dtype="i4"), card)


@pytest.mark.parametrize("name", ["sft", "orpo", "dpo"])
def test_each_kind_of_loss_moves_probability_from_rejected_to_chosen(dataset, name):
    settings = TrainSettings(epochs=6, minibatch=4, hidden=(8,), learning_rate=1e-2)
    trained = learner.train(objectives.get(name), dataset, seeds=[0, 1], settings=settings)
    assert not trained.diverged.any()
    policy = jax.tree.map(lambda x: x[0], trained.policies)
    assert policy.choices == 3
    likely = [
        float(policy.log_prob(policy.parameters, SEEN, jnp.full((200, 1), c)).mean())
        for c in (0.0, 2.0)
    ]
    assert likely[1] > likely[0] + 0.5


def test_wrong_choices_and_a_start_of_the_other_kind_are_refused(dataset):
    settings = TrainSettings(minibatch=4)
    two = replace(dataset, card={**dataset.card, "choices": 2})
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 1, but one is 2\.0"):
        learner.prepare(two, settings)
    zeros = np.zeros(2, "f4")
    with pytest.raises(ValueError, match="different kinds of actions"):
        learner.prepare(dataset, settings, new_policy(jax.random.key(0), 1, zeros, zeros + 1))


def test_discrete_environments_take_the_numbers_of_their_choices(tmp_path):
    pytest.importorskip("gymnasium")
    from mirrorpo.agents.ppo_trainer import PPOTrainer
    from mirrorpo.preferences import data
    from mirrorpo.simulation import evaluation
    from mirrorpo.training_settings import PPOSettings
    from tests import gym_envs

    assert gym_envs.Choice.action_space.n == 3

    task = tasks.load("gym:mirrorpo/Choice-v0")
    assert (task.choices, task.action_size) == (3, 1)
    settings = PPOSettings(
        total_steps=20_000, environments=16, rollout_steps=32, minibatches=8, learning_rate=3e-3
    )
    trainer = PPOTrainer(task, settings)
    start = trainer.start(0)
    weak = trainer.policy(start)
    state = trainer.advance(start, 39)
    strong = trainer.policy(state)
    both = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(one) for one in x]), strong, weak)
    means = evaluation.returns(both, task, 30, 1).mean(axis=1)
    assert means[0] > means[1] + 3
    paths = []
    for name, policy in (("better", strong), ("worse", weak)):
        card = agent_files.AgentCard(name, task.name, task.backend, 0.0, 1.0, 1, 0, 0, 0)
        assert agent_files.measured(policy, task, replace(card, episodes=3)).noise is None
        agent_files.save(tmp_path / name, policy, card)
        paths.append(tmp_path / f"{name}.safetensors")
    pool = data.simulate(task, 5, 0, *paths)
    assert set(np.unique(pool.trajectories.actions)) <= {0.0, 1.0, 2.0}
    assert data.label(pool, "base", 0).choices == 3
    gaussian = new_policy(jax.random.key(0), 1, np.zeros(2, "f4"), np.ones(2, "f4"))
    with pytest.raises(ValueError, match=r"are real numbers, but those of .* one of 3 choices"):
        evaluation.score(jax.tree.map(lambda x: x[None], gaussian), task, 1)
