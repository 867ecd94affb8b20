"""Training does what objectives declare: data plan, moving reference, memory, agreement."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import PairPlan, ReferenceUpdate, component
from mirrorpo.preferences import preference_model
from mirrorpo.runtime.pytrees import stack
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training import learner
from mirrorpo.training.declared import followed, in_order
from mirrorpo.training.inner_loop import train_agents
from mirrorpo.training_settings import TrainSettings

from .conftest import toy_dataset

QUICK = TrainSettings(epochs=3, hidden=(8,), minibatch=8)
ROWS = 40
EASE = jnp.asarray(np.random.default_rng(0).permutation((np.arange(ROWS) + 0.5) / ROWS))


def epoch(plan, seed=0):
    return np.asarray(in_order(plan, jax.random.key(seed), EASE, ROWS))


def test_without_a_plan_an_epoch_is_a_shuffle_whatever_the_ease():
    plain = in_order(None, jax.random.key(3), None, ROWS)
    np.testing.assert_array_equal(np.sort(plain), np.arange(ROWS))
    np.testing.assert_array_equal(epoch(None, 3), plain)
    np.testing.assert_array_equal(epoch(PairPlan(), 3), plain)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.75])
def test_the_hardest_share_is_left_out_and_the_others_come_equally_often(share):
    order = epoch(PairPlan(dropped=share))
    assert len(order) == ROWS
    kept, times = np.unique(order, return_counts=True)
    np.testing.assert_array_equal(kept, np.flatnonzero(np.asarray(EASE) > share))
    assert times.max() - times.min() <= 1
    assert (order != epoch(PairPlan(dropped=share), seed=1)).any()


def test_one_pair_at_least_is_kept():
    assert set(epoch(PairPlan(dropped=0.999))) == {int(jnp.argmax(EASE))}


def test_easy_first_goes_from_the_easiest_to_the_hardest():
    ease = np.asarray(EASE)[epoch(PairPlan(easy_first=True))]
    assert (np.diff(ease) < 0).all()
    left = np.asarray(EASE)[epoch(PairPlan(dropped=0.3, easy_first=True))]
    assert (np.diff(left) <= 0).all()
    assert left.min() > 0.3


def test_a_moving_reference_moves_after_every_so_many_steps_and_by_its_rate():
    old, new = {"w": jnp.asarray([1.0, 2.0])}, {"w": jnp.asarray([5.0, 2.0])}
    update = ReferenceUpdate(rate=0.25, every=4)
    for done, wanted in ((1, 1.0), (3, 1.0), (4, 2.0), (5, 1.0), (8, 2.0)):
        moved = followed(update, old, new, jnp.float32(done))
        np.testing.assert_allclose(moved["w"], [wanted, 2.0])
    assert followed(None, None, new, jnp.float32(4)) is None


def trained(name, dataset, **values):
    objective = objectives.get(name, aggregation="mean", **values)
    return learner.train(objective, dataset, seeds=[0], settings=QUICK)


def test_a_reference_that_follows_each_step_leaves_no_margin(toy):
    found = trained("tr-dpo", toy, beta=30.0, alpha=1.0, tau=1)
    np.testing.assert_allclose(found.curves.margin[0, -1], 0.0, atol=1e-6)
    np.testing.assert_allclose(found.curves.loss[0, -1], np.log(2), rtol=1e-5)


def test_a_reference_that_never_moves_is_dpo_s(toy):
    moving, fixed = (
        trained(name, toy, beta=30.0, **more)
        for name, more in (("tr-dpo", {"tau": 1e6}), ("dpo", {}))
    )
    np.testing.assert_allclose(moving.curves.loss, fixed.curves.loss, rtol=1e-4)
    assert float(moving.curves.margin[0, -1]) > 1e-3


def test_memory_goes_from_batch_to_batch_and_starts_blank(toy, monkeypatch):
    monkeypatch.setattr(component, "_registry", dict(component._registry))

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Counting(objectives.Objective):
        name = "counting"
        memory_size = 1

        def loss(self, batch, progress):
            return 0.0 * batch.chosen + self._seen(batch)

        def remembered(self, batch):
            return self._seen(batch)[None] + 1.0

        def _seen(self, batch):
            return jnp.where(jnp.isnan(batch.memory[0]), 0.0, batch.memory[0])

    settings = dataclasses.replace(QUICK, epochs=2)
    found = learner.train(Counting(), toy, seeds=[0], settings=settings)
    steps = toy.rows // QUICK.minibatch
    first = np.mean(np.arange(steps))
    np.testing.assert_allclose(found.curves.loss[0], [first, first + steps])


def test_agreement_is_the_integral_of_the_squared_density():
    policy = new_policy(jax.random.key(0), 2, jnp.zeros(3), jnp.ones(3), (8,), initial_std=0.7)
    observation = jnp.asarray([[0.3, -1.0, 2.0]])
    axis = jnp.linspace(-8.0, 8.0, 801)
    actions = jnp.stack(jnp.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    same = jnp.broadcast_to(observation, (len(actions), 3))
    density = jnp.exp(policy.log_prob(policy.parameters, same, actions))
    integral = jnp.sum(density**2) * (axis[1] - axis[0]) ** 2
    found = policy.log_agreement(policy.parameters, observation)
    assert found.shape == (1,)
    np.testing.assert_allclose(found[0], jnp.log(integral), rtol=1e-4)


def test_training_weighs_pairs_by_the_policy_s_agreement(toy):
    """One minibatch of all rows: WPO's loss is DPO's log 2 times the mean weight."""
    settings = TrainSettings(epochs=1, minibatch=toy.rows, hidden=(8,))
    start = new_policy(jax.random.key(7), 2, jnp.zeros(3), jnp.ones(3), (8,), initial_std=0.5)
    objective = objectives.get("wpo", weights="free")
    ready = learner.prepare(toy, settings, start)
    _, curves, _, _ = train_agents(
        stack([objective]),
        jnp.asarray([0], jnp.uint32),
        ready.template,
        ready.data,
        settings=settings,
        stages=(("wpo", 1),),
        fresh=False,
    )
    t = toy.trajectories
    per_step = start.log_prob(start.parameters, jnp.asarray(t.observations), jnp.asarray(t.actions))
    agreement = start.log_agreement(start.parameters, jnp.asarray(t.observations))
    each = (per_step - agreement).mean(axis=1)
    weight = jnp.exp(each[toy.chosen] + each[toy.rejected])
    np.testing.assert_allclose(curves.loss[0, 0], np.log(2) * weight.mean(), rtol=1e-4)


def flipped(dataset, which):
    chosen, rejected = dataset.chosen.copy(), dataset.rejected.copy()
    chosen[which], rejected[which] = dataset.rejected[which], dataset.chosen[which]
    return dataclasses.replace(dataset, chosen=chosen, rejected=rejected)


def test_wrong_labels_are_among_the_hardest_pairs():
    wrong = np.arange(0, 200, 5)
    found = preference_model.ease(flipped(toy_dataset(rows=200), wrong))
    hardest = np.argsort(found)[: len(wrong)]
    assert np.isin(hardest, wrong).mean() > 0.9
    np.testing.assert_allclose(np.sort(found), (np.arange(200) + 0.5) / 200, rtol=1e-6)


def test_filtered_losses_never_touch_the_pairs_left_out(toy):
    """Not in the SFT stage either: what is left out may be anything."""
    settings = dataclasses.replace(QUICK, epochs=2)
    broken = dataclasses.replace(toy.trajectories, actions=toy.trajectories.actions.copy())
    bad = np.arange(0, toy.rows, 4)
    broken.actions[toy.chosen[bad]] = np.nan
    ready = learner.prepare(dataclasses.replace(toy, trajectories=broken), settings)
    ease = np.linspace(0.3, 0.99, toy.rows, dtype="f4")
    ease[bad] = np.linspace(0.01, 0.2, len(bad))
    ready.__dict__["ranked"] = ready.data._replace(ease=jnp.asarray(ease))
    for drop, diverges in ((0.25, False), (0.1, True)):
        objective = objectives.get("dpo-filtered", drop=drop, aggregation="mean")
        found = learner.train(objective, ready, seeds=[0], settings=settings)
        assert bool(found.diverged[0]) is diverges


def test_another_share_to_leave_out_does_not_compile_again(toy):
    trained("dpo-filtered", toy, drop=0.1)
    before = train_agents._cache_size()
    trained("dpo-filtered", toy, drop=0.4)
    assert train_agents._cache_size() == before


@pytest.mark.parametrize("name", ["mixdpo", "dpo-filtered"])
def test_too_few_pairs_to_rank_are_refused_in_words(name):
    with pytest.raises(ValueError, match="16 pairs are too few"):
        trained(name, toy_dataset(rows=16))


@pytest.mark.parametrize("name", ["gamma-dpo", "mixdpo"])
def test_objectives_with_declarations_train(toy, name):
    found = trained(name, toy)
    assert not found.diverged.any()
    assert np.isfinite(np.asarray(found.curves.loss)).all()
