import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mirrorpo import objectives
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.preferences import data
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training import inner_loop, learner
from mirrorpo.training.inner_loop import train_agents
from mirrorpo.training_settings import PPOSettings, TrainSettings

from .conftest import toy_dataset

QUICK = TrainSettings(epochs=3, hidden=(8,))


def leaves(policies):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(policies)]


def test_sft_learns_the_chosen_actions(toy):
    trained = learner.train(
        objectives.get("sft", aggregation="mean"), toy, seeds=[0], settings=TrainSettings(epochs=12)
    )
    policy = jax.tree.map(lambda x: x[0], trained.policies)
    means = policy.act(jnp.asarray(toy.trajectories.observations[0]), None)
    np.testing.assert_allclose(means, 0.5, atol=0.25)
    loss = np.asarray(trained.curves.loss[0])
    assert loss[-1] < loss[0]


def test_a_preference_loss_separates_chosen_from_rejected(toy):
    trained = learner.train(
        objectives.get("cpo", beta=1.0, aggregation="mean"),
        toy,
        seeds=[0],
        settings=TrainSettings(),
    )
    assert float(trained.curves.accuracy[0, -1]) > 0.95
    assert float(trained.curves.margin[0, -1]) > float(trained.curves.margin[0, 0])


def test_one_step_of_training_is_the_textbook_step(toy):
    """One epoch, one minibatch of all rows: Adam on the clipped gradient of the mean loss."""
    settings = TrainSettings(epochs=1, minibatch=toy.rows, hidden=(8,), max_gradient_norm=0.5)
    objective = objectives.get("cpo", beta=2.0, aggregation="mean")
    start = new_policy(jax.random.key(7), 2, jnp.zeros(3), jnp.full(3, 2.0), (8,))
    trained = learner.train(objective, toy, seeds=[0], settings=settings, start=start)

    t = toy.trajectories

    def loss(parameters):
        def mean_log_prob(which):
            x = (t.observations[which] - 0.0) / 2.0
            per_step = start.actor.apply(parameters, x, t.actions[which], method="log_prob")
            return per_step.mean(axis=-1)

        chosen, rejected = mean_log_prob(toy.chosen), mean_log_prob(toy.rejected)
        return jnp.mean(-chosen - jax.nn.log_sigmoid(2.0 * (chosen - rejected)))

    value, gradient = jax.value_and_grad(loss)(start.parameters)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-3))
    updates, _ = optimiser.update(gradient, optimiser.init(start.parameters))
    expected = optax.apply_updates(start.parameters, updates)
    for found, wanted in zip(
        leaves(trained.policies.parameters), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(found[0], wanted, atol=1e-6)
    np.testing.assert_allclose(trained.curves.loss[0, 0], value, rtol=1e-5)


def test_an_agent_does_not_depend_on_its_company(optimised, toy):
    """Bit for bit: alone, among others, and with other hyper-parameters beside it."""
    one = objectives.get("dpo", beta=0.5, aggregation="mean")
    other = objectives.get("dpo", beta=5.0, aggregation="mean")
    alone = learner.train(one, toy, seeds=[4], settings=QUICK)
    among = learner.train([other, one, other], toy, seeds=[4, 4, 5], settings=QUICK)
    for a, b in zip(leaves(alone.policies), leaves(among.policies), strict=True):
        np.testing.assert_array_equal(a[0], b[1])


def test_policies_after_epochs_end_with_the_trained_one_and_change_nothing(toy):
    """Bit for bit, over the stages of a two-step objective."""
    objective = objectives.get("dpo", beta=1.0, aggregation="mean")
    plain = learner.train(objective, toy, seeds=[0, 1, 2], settings=QUICK)
    kept = learner.train(objective, toy, seeds=[0, 1, 2], settings=QUICK, keep_epochs=True)
    assert plain.after_epochs is None
    for a, b, after in zip(
        leaves(plain.policies), leaves(kept.policies), leaves(kept.after_epochs), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert after.shape == (3, QUICK.epochs, *a.shape[1:])
        np.testing.assert_array_equal(after[:, -1], a)
    first, *_ = leaves(kept.after_epochs.parameters)
    assert (first[:, 0] != first[:, -1]).any()


def test_two_stage_objectives_run_sft_first_with_their_shares(toy):
    trained = learner.train(
        objectives.get("dpo", aggregation="mean"),
        toy,
        seeds=[0],
        settings=TrainSettings(hidden=(8,)),
    )
    assert trained.stages == ("sft",) * 10 + ("dpo",) * 2
    # At the start of its stage DPO's policy is its reference: the first loss is near log 2.
    assert abs(float(trained.curves.loss[0, 10]) - np.log(2)) < 0.05


@pytest.mark.parametrize(
    ("epochs", "expected"), [(12, (10, 2)), (6, (5, 1)), (2, (1, 1)), (3, (2, 1)), (24, (20, 4))]
)
def test_stages_keep_their_shares_of_the_epochs(epochs, expected):
    stages = learner.stage_epochs(objectives.get("dpo"), epochs)
    assert tuple(count for _, count in stages) == expected


def test_padding_after_the_end_of_an_episode_changes_nothing(toy):
    t = toy.trajectories
    longer = dataclasses.replace(
        t,
        observations=np.pad(t.observations, ((0, 0), (0, 7), (0, 0)), constant_values=99.0),
        actions=np.pad(t.actions, ((0, 0), (0, 7), (0, 0)), constant_values=-99.0),
    )
    padded = dataclasses.replace(toy, trajectories=longer)
    objective = objectives.get("dpo", beta=1.0, aggregation="mean")
    plain = learner.train(objective, toy, seeds=[0], settings=QUICK)
    with_padding = learner.train(objective, padded, seeds=[0], settings=QUICK)
    for a, b in zip(leaves(plain.policies), leaves(with_padding.policies), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_sampled_time_steps_estimate_the_same_sums():
    """The mean over many draws is the sum over all valid steps, for unequal lengths too."""
    dataset = toy_dataset(rows=4, steps=30)
    lengths = np.array([30, 7, 13, 1, 30, 29, 2, 17], "i4")
    dataset = dataclasses.replace(
        dataset, trajectories=dataclasses.replace(dataset.trajectories, length=lengths)
    )
    policy = new_policy(jax.random.key(0), 2, jnp.zeros(3), jnp.ones(3), (8,))
    ready = learner.prepare(dataset, QUICK, policy)
    rows = jnp.arange(4)

    def sums(key, time_steps):
        batch = inner_loop.minibatch(ready.data, None, rows, key, time_steps)
        return inner_loop.log_prob_sums(policy, policy.parameters, batch)

    exact = sums(jax.random.key(0), None)
    draws = jax.vmap(lambda key: sums(key, 5))(jax.random.split(jax.random.key(1), 4000))
    error = np.asarray(draws.std(axis=0)) / np.sqrt(4000)
    assert np.all(np.abs(np.asarray(draws.mean(axis=0) - exact)) < 5 * error + 1e-3)


def test_a_run_that_diverges_says_so(toy):
    t = toy.trajectories
    broken = dataclasses.replace(t, actions=t.actions.copy())
    broken.actions[0, 0, 0] = np.inf
    trained = learner.train(
        objectives.get("sft", aggregation="mean"),
        dataclasses.replace(toy, trajectories=broken),
        seeds=[0, 1],
        settings=QUICK,
    )
    assert trained.diverged.all()
    healthy = learner.train(
        objectives.get("sft", aggregation="mean"), toy, seeds=[0], settings=QUICK
    )
    assert not healthy.diverged.any()


def train_briefly(name, toy):
    settings = TrainSettings(epochs=2, hidden=(8,), minibatch=16)
    objective = objectives.get(name, aggregation="mean")
    trained = learner.train(objective, toy, seeds=[0], settings=settings)
    assert not trained.diverged.any()
    assert np.isfinite(np.asarray(trained.curves.loss)).all()


@pytest.mark.parametrize("name", ["orpo", "kto", "aot", "paper-mixed", "ta-mpo"])
def test_objectives_of_each_kind_train(toy, name):
    train_briefly(name, toy)


@pytest.mark.slow
@pytest.mark.parametrize("name", objectives.available())
def test_every_objective_of_the_zoo_trains(toy, name):
    train_briefly(name, toy)


def test_another_hyper_parameter_does_not_compile_again(toy):
    learner.train(
        objectives.get("dpo", beta=0.1, aggregation="mean"), toy, seeds=[0], settings=QUICK
    )
    before = train_agents._cache_size()
    for beta in (0.2, 0.7):
        learner.train(
            objectives.get("dpo", beta=beta, aggregation="mean"), toy, seeds=[1], settings=QUICK
        )
    assert train_agents._cache_size() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "at least one seed"),
        ({"seeds": [-1]}, "Seeds must be between 0"),
        ({"settings": TrainSettings(minibatch=1000)}, "fewer than a minibatch"),
        ({"settings": TrainSettings(epochs=1)}, "needs at least 2 epochs"),
        ({"settings": TrainSettings(single_stage=("dpoo",))}, "Did you mean dpo"),
        ({"settings": TrainSettings(single_stage=("dpo[beta=1]",))}, "Names stand without"),
    ],
)
def test_bad_calls_say_what_is_wrong(toy, change, message):
    arguments = {"seeds": [0], "settings": QUICK, **change}
    with pytest.raises(ValueError, match=message):
        learner.train(objectives.get("dpo", aggregation="mean"), toy, **arguments)


def test_data_prepared_for_a_small_minibatch_do_not_train_with_one_that_they_cannot_fill(toy):
    ready = learner.prepare(toy, QUICK)
    with pytest.raises(ValueError, match="fewer than a minibatch of 1000"):
        learner.train(
            objectives.get("dpo", aggregation="mean"),
            ready,
            seeds=[0],
            settings=TrainSettings(minibatch=1000),
        )


def test_a_start_policy_of_another_robot_is_refused(toy):
    start = new_policy(jax.random.key(0), 8, jnp.zeros(27), jnp.ones(27), (8,))
    with pytest.raises(ValueError, match="27 observations"):
        learner.train(objectives.get("sft"), toy, seeds=[0], settings=QUICK, start=start)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (TrainSettings, {"learning_rate": math.inf}),
        (TrainSettings, {"max_gradient_norm": math.nan}),
        (TrainSettings, {"std": "fixed:1e300"}),
        (TrainSettings, {"initial_std": 0.4}),
        (TrainSettings, {"initial_std": math.inf}),
        (PPOSettings, {"initial_std": 0.1}),
        (PPOSettings, {"learning_rate": math.nan}),
        (PPOSettings, {"discount": 5.0}),
        (PPOSettings, {"clip": -1.0}),
        (PPOSettings, {"gae_lambda": math.nan}),
        (PPOSettings, {"reward_scale": math.inf}),
        (DiscoverySettings, {"sigma": math.inf}),
        (DiscoverySettings, {"step_size": math.nan}),
        (DiscoverySettings, {"validation_learning_rate": 0.0}),
    ],
)
def test_numbers_that_no_training_can_have_are_refused(kind, changes):
    (name,) = changes
    with pytest.raises(ValueError, match=name.removeprefix("validation_")):
        kind(**changes)


@pytest.mark.parametrize("name", ["epochs", "minibatch", "learning_rate", "time_steps"])
def test_settings_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=name):
        TrainSettings(**{name: 0})


def test_objectives_of_different_classes_cannot_train_together(toy):
    with pytest.raises(ValueError, match="one class"):
        learner.train(
            [objectives.get("dpo"), objectives.get("cpo")], toy, seeds=[0, 1], settings=QUICK
        )


def test_dataset_moments_are_those_of_its_valid_steps():
    dataset = toy_dataset(rows=3, steps=9)
    lengths = np.array([9, 4, 1, 2, 9, 5], "i4")
    t = dataclasses.replace(dataset.trajectories, length=lengths)
    dataset = data.PreferenceDataset(t, dataset.chosen, dataset.rejected)
    valid = np.concatenate([t.observations[i, :n] for i, n in enumerate(lengths)])
    mean, std = dataset.observation_moments()
    np.testing.assert_allclose(mean, valid.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(std, valid.std(axis=0), atol=1e-6)


def test_a_rate_that_falls_over_all_stages_leaves_the_last_one_its_tail(toy):
    """For a loss of one stage both falls are the same; DPO's two epochs get a twelfth."""
    last = {}
    for schedule in ("linear", "linear-overall"):
        settings = TrainSettings(schedule=schedule, hidden=(8,), minibatch=8)
        objective = objectives.get("dpo", aggregation="mean")
        trained = learner.train(objective, toy, seeds=[0], settings=settings)
        last[schedule] = float(trained.curves.margin[0, -1])
    assert last["linear-overall"] < last["linear"]

    def rates(schedule, *place):
        settings = TrainSettings(schedule=schedule, learning_rate=0.012)
        return inner_loop._learning_rate(settings, jnp.linspace(0.0, 1.0, 5), place)

    np.testing.assert_array_equal(rates("linear", 0.0, 1.0), rates("linear-overall", 0.0, 1.0))
    ends = rates("linear-overall", 10 / 12, 1.0)[jnp.array([0, -1])]
    np.testing.assert_allclose(ends, [0.002, 0.0], atol=1e-9)
