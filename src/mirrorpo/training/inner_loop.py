"""One agent's training as a pure function: stages, epochs, minibatches, log-probs."""

import itertools
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mirrorpo.objectives import Objective, PairLogProbs, PairPlan, registry
from mirrorpo.runtime.devices import map_over_devices
from mirrorpo.runtime.pytrees import as_pytree
from mirrorpo.simulation.policy import Policy, hold_std, new_policy, start_std
from mirrorpo.training.declared import Carried, first_carried, followed, in_order, plan_of
from mirrorpo.training_settings import TrainSettings


class Curves(NamedTuple):
    """Means over the minibatches of each epoch; each of shape (agents, epochs).

    Attributes:
        loss: the loss of the stage's objective, mean over pairs.
        chosen_log_prob: log-prob of the chosen trajectories, mean over time steps, sum over action
            dimensions, mean over pairs.
        rejected_log_prob: log-prob of the rejected trajectories, mean over time steps, sum over
            action dimensions, mean over pairs.
        margin: chosen minus rejected log-prob, each minus its reference where the stage's
            objective has one; mean over time steps.
        accuracy: share of pairs with a positive margin.
        gradient_norm: global norm before clipping.
    """

    loss: jax.Array
    chosen_log_prob: jax.Array
    rejected_log_prob: jax.Array
    margin: jax.Array
    accuracy: jax.Array
    gradient_norm: jax.Array


class PairedData(NamedTuple):
    """A dataset on the devices.

    Attributes:
        observations: shape (trajectories, steps, observations), normalised.
        actions: shape (trajectories, steps, actions).
        length: valid steps, shape (trajectories,).
        chosen: index of each pair's chosen trajectory, shape (rows,).
        rejected: index of each pair's rejected trajectory, shape (rows,).
        ease: the ease of each pair, see `objectives.PairPlan`, shape (rows,); None where no
            objective asks.
    """

    observations: Any
    actions: Any
    length: Any
    chosen: Any
    rejected: Any
    ease: Any = None


@partial(jax.jit, static_argnames=("settings", "stages", "fresh", "record", "keep_epochs"))
def train_agents(
    objective: Objective,
    seeds: jax.Array,
    template: Policy,
    data: PairedData,
    *,
    settings: TrainSettings,
    stages: tuple[tuple[str, int], ...],
    fresh: bool,
    record: int = 0,
    keep_epochs: bool = False,
) -> tuple[Policy, Curves, jax.Array | None, Any]:
    """Train one agent for each seed and objective, spread over all devices.

    Args:
        objective: every leaf with a leading axis of agents.
        seeds: shape (agents,), uint32.
        template: the policy that agents start from; only its normaliser and sizes count where
            `fresh` is set.
        data: what all agents see.
        settings: the settings of training.
        stages: (objective name, epochs) in order.
        fresh: whether agents start from random networks.
        record: minibatches of each epoch of the last stage whose pairs are recorded.
        keep_epochs: also return the parameters as they are after each epoch.

    Returns:
        Policies, curves, recorded pairs and the parameters after each epoch, every leaf with a
        leading axis of agents, to be `gathered`; the pairs have shape (agents, epochs, record,
        minibatch, 5), see `learner.visited`, or are None where `record` is 0; the parameters have
        a second axis of epochs, or are None.
    """

    def one_agent(
        agent: tuple[Any, ...], template: Policy, data: PairedData
    ) -> tuple[Policy, Curves, jax.Array | None, Any]:
        objective, seed = agent
        new_key, *stage_keys = jax.random.split(jax.random.key(seed), 1 + len(stages))
        policy = template
        if fresh:
            policy = new_policy(
                new_key,
                template.action_size,
                template.observation_mean,
                template.observation_std,
                settings.hidden,
                settings.initial_std,
                choices=template.choices,
                kind=template.kind.name,
            )
        policy = policy.with_parameters(start_std(policy.parameters, settings.std))
        # The rate is each stage's own; the moments may be of all stages together.
        optimiser = optax.chain(
            optax.clip_by_global_norm(settings.max_gradient_norm), optax.scale_by_adam()
        )
        state = optimiser.init(policy.parameters)
        curves, kept = [], []
        ends = list(itertools.accumulate((epochs for _, epochs in stages), initial=0))
        places = [(one / ends[-1], two / ends[-1]) for one, two in itertools.pairwise(ends)]
        for (name, epochs), place, key in zip(stages, places, stage_keys, strict=True):
            now = objective if name == objective.name else _stage_objective(name, objective)
            if settings.reset_optimiser:
                state = optimiser.init(policy.parameters)
            plan = plan_of(objective, own_stage=now is objective)
            policy, state, curve, pairs, parameters = _stage(
                now,
                plan,
                policy,
                optimiser,
                state,
                data,
                key,
                epochs,
                place,
                settings,
                record,
                keep_epochs,
            )
            curves.append(curve)
            kept.append(parameters)
        curves, kept = (
            jax.tree.map(lambda *x: jnp.concatenate(x), *all_) for all_ in (curves, kept)
        )
        return policy, curves, pairs, kept

    return map_over_devices(one_agent, (objective, seeds), template, data)


def _learning_rate(
    settings: TrainSettings, progress: jax.Array, place: tuple[float, float]
) -> jax.Array:
    """Adam's rate at a stage's progress in [0, 1]; the stage has its `place` in the training."""
    begin, end = place
    shape = {
        "constant": jnp.ones_like(progress),
        "linear": 1.0 - progress,
        "cosine": 0.5 * (1.0 + jnp.cos(jnp.pi * progress)),
        "linear-overall": 1.0 - (begin + (end - begin) * progress),
    }
    return settings.learning_rate * shape[settings.schedule]


def _stage_objective(name: str, objective: Objective) -> Objective:
    return as_pytree(registry.make(name, aggregation=objective.aggregation))


def _stage(
    objective: Objective,
    plan: PairPlan | None,
    policy: Policy,
    optimiser: optax.GradientTransformation,
    state: optax.OptState,
    data: PairedData,
    key: jax.Array,
    epochs: int,
    place: tuple[float, float],
    settings: TrainSettings,
    record: int,
    keep_epochs: bool,
) -> tuple[Policy, optax.OptState, Curves, jax.Array | None, Any]:
    """One stage of one agent; `place` is where it begins and ends in the whole training."""
    rows = data.chosen.shape[0]
    steps_an_epoch = rows // settings.minibatch
    carried = first_carried(objective, policy.parameters)
    fixed = objective.needs_reference and carried.reference is None
    reference = _reference(policy, data) if fixed else None
    order_key, time_key = jax.random.split(key)

    def loss(
        parameters: Any, which: jax.Array, progress: jax.Array, key: jax.Array, carried: Carried
    ) -> tuple[jax.Array, tuple[Curves, jax.Array, jax.Array | None]]:
        batch = minibatch(data, reference, which, key, settings.time_steps)
        sums, length = log_prob_sums(policy, parameters, batch), batch.length
        reference_sums = (
            None if batch.reference is None else jnp.sum(batch.reference * batch.weight, axis=-1)
        )
        if carried.reference is not None:
            reference_sums = log_prob_sums(policy, carried.reference, batch)
        agreement: Any = (None, None)
        if objective.uses_agreement:
            agreement = log_agreement_sums(policy, parameters, batch)
        log_probs = PairLogProbs(
            chosen=sums[0],
            rejected=sums[1],
            reference_chosen=None if reference_sums is None else reference_sums[0],
            reference_rejected=None if reference_sums is None else reference_sums[1],
            chosen_length=length[0],
            rejected_length=length[1],
            chosen_agreement=agreement[0],
            rejected_agreement=agreement[1],
            ease=data.ease[which] if objective.uses_ease else None,
        )
        value = jnp.mean(objective(log_probs, progress, carried.memory))
        memory = None
        if carried.memory is not None:
            memory = objective.remember(log_probs, carried.memory)
        mean = sums / length
        gain = mean if reference_sums is None else mean - reference_sums / length
        margin = gain[0] - gain[1]
        curves = Curves(
            loss=value,
            chosen_log_prob=mean[0].mean(),
            rejected_log_prob=mean[1].mean(),
            margin=margin.mean(),
            accuracy=(margin > 0).mean(),
            gradient_norm=jnp.zeros(()),
        )
        unknown = jnp.full_like(mean, jnp.nan)
        seen = (*mean, *(unknown if reference_sums is None else reference_sums / length))
        pairs = jnp.stack([*seen, jnp.broadcast_to(progress, mean[0].shape)], axis=-1)
        return value, (curves, pairs, memory)

    def step(carry: Any, item: Any) -> tuple[Any, tuple[Curves, jax.Array | None]]:
        parameters, state, done, carried = carry
        which, key = item
        progress = done / (epochs * steps_an_epoch)
        gradient, (curves, pairs, memory) = jax.grad(loss, has_aux=True)(
            parameters, which, progress, key, carried
        )
        gradient = hold_std(gradient, settings.std)
        steps, state = optimiser.update(gradient, state)
        rate = _learning_rate(settings, progress, place)
        updates = jax.tree.map(lambda x: -rate * x, steps)
        curve = curves._replace(gradient_norm=optax.tree.norm(gradient))
        parameters = optax.apply_updates(parameters, updates)
        moved = followed(objective.reference_update, carried.reference, parameters, done + 1)
        carry = (parameters, state, done + 1, Carried(moved, memory))
        return carry, (curve, pairs if record else None)

    def epoch(carry: Any, keys: Any) -> tuple[Any, tuple[Curves, jax.Array | None, Any]]:
        shuffle, times = keys
        order = in_order(plan, shuffle, data.ease, rows)
        order = order[: steps_an_epoch * settings.minibatch]
        batches = order.reshape(steps_an_epoch, settings.minibatch)
        items = (batches, jax.random.split(times, steps_an_epoch))
        carry, (curve, pairs) = jax.lax.scan(step, carry, items)
        # Evenly over the epoch, so that a short stage is seen from its start to its end.
        at = jnp.linspace(0, steps_an_epoch - 1, record).astype(jnp.int32)
        shown = None if pairs is None else pairs[at]
        return carry, (jax.tree.map(jnp.mean, curve), shown, carry[0] if keep_epochs else None)

    keys = (jax.random.split(order_key, epochs), jax.random.split(time_key, epochs))
    carry = (policy.parameters, state, jnp.float32(0), carried)
    (parameters, state, *_), (curves, pairs, kept) = jax.lax.scan(epoch, carry, keys)
    policy = policy.with_parameters(parameters)
    return policy, state, curves, pairs, kept


class Minibatch(NamedTuple):
    """Steps of a minibatch of pairs; the leading axes are (2: chosen and rejected, pairs).

    Attributes:
        observations: shape (2, pairs, steps, observations).
        actions: shape (2, pairs, steps, actions).
        weight: the weight of each step in the sum over time, shape (2, pairs, steps); 0 where not
            valid.
        length: valid steps of each whole trajectory, shape (2, pairs), float.
        reference: the reference's log-prob of each step, shape (2, pairs, steps), or None.
    """

    observations: jax.Array
    actions: jax.Array
    weight: jax.Array
    length: jax.Array
    reference: jax.Array | None


def minibatch(
    data: PairedData,
    reference: jax.Array | None,
    rows: jax.Array,
    key: jax.Array,
    time_steps: int | None,
) -> Minibatch:
    """Gather the steps of some pairs: all of them, or `time_steps` drawn from each trajectory."""
    which = jnp.stack([data.chosen[rows], data.rejected[rows]])
    length = data.length[which].astype(jnp.float32)
    if time_steps is None:
        steps = data.observations.shape[1]
        valid = jnp.arange(steps) < length[..., None]
        return Minibatch(
            data.observations[which],
            data.actions[which],
            valid.astype(jnp.float32),
            length,
            None if reference is None else jnp.swapaxes(reference[rows], 0, 1),
        )
    # One step from each of `time_steps` equal parts of the valid steps: every step is as
    # likely as any other, so the weighted sum is unbiased, and parts keep its variance low.
    jitter = jax.random.uniform(key, (*which.shape, time_steps))
    share = (jnp.arange(time_steps) + jitter) / time_steps
    step = jnp.minimum(jnp.floor(share * length[..., None]), length[..., None] - 1)
    step = step.astype(jnp.int32)
    side = jnp.arange(2)[:, None, None]
    return Minibatch(
        data.observations[which[..., None], step],
        data.actions[which[..., None], step],
        jnp.broadcast_to((length / time_steps)[..., None], step.shape),
        length,
        None if reference is None else reference[rows[None, :, None], side, step],
    )


def log_prob_sums(policy: Policy, parameters: Any, batch: Minibatch) -> jax.Array:
    """Log-probs summed over valid time steps and action dimensions; shape (2, pairs)."""
    per_step = policy.log_prob(parameters, batch.observations, batch.actions)
    return jnp.sum(per_step * batch.weight, axis=-1)


def log_agreement_sums(policy: Policy, parameters: Any, batch: Minibatch) -> jax.Array:
    """Log-probs that two draws agree, summed over valid time steps; shape (2, pairs)."""
    per_step = policy.log_agreement(parameters, batch.observations)
    return jnp.sum(per_step * batch.weight, axis=-1)


def _reference(policy: Policy, data: PairedData) -> jax.Array:
    """The reference's log-prob of every step of every pair, summed over action dimensions.

    Its shape is (rows, 2: chosen and rejected, steps). It is computed once, at the start of a
    stage.
    """

    def of_pair(pair: jax.Array) -> jax.Array:
        return policy.log_prob(policy.parameters, data.observations[pair], data.actions[pair])

    return jax.lax.map(of_pair, jnp.stack([data.chosen, data.rejected], axis=1))
