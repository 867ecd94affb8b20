"""Inner training: policies fitted to preference data by an objective (paper, Table 7).

One agent is one pure function: stages (SFT, then preference optimisation) of minibatch steps.
Many agents - seeds, hyper-parameters, objectives of one class - are one compiled call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mirrorpo import objectives
from mirrorpo.control.data import PreferenceDataset
from mirrorpo.control.devices import map_over_devices, replicate
from mirrorpo.control.policy import Policy, new_policy
from mirrorpo.control.pytrees import as_pytree, stack
from mirrorpo.control.settings import TrainSettings
from mirrorpo.objectives import Objective, PairLogProbs


class Curves(NamedTuple):
    """Means over the minibatches of each epoch; each of shape (agents, epochs).

    Attributes:
        loss: of the stage's objective, mean over pairs.
        chosen_log_prob: of chosen trajectories, mean over time steps, sum over action
            dimensions.
        rejected_log_prob: of rejected trajectories, likewise.
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


@dataclass(frozen=True)
class Trained:
    """What `train` returns.

    Attributes:
        policies: leaves with a leading axis of agents.
        curves: see `Curves`.
        stages: name of the stage of each epoch, length epochs.
        diverged: whether an agent's parameters are not finite, shape (agents,), bool.
    """

    policies: Policy
    curves: Curves
    stages: tuple[str, ...]
    diverged: np.ndarray


class PairedData(NamedTuple):
    """A dataset on the devices, observations normalised once."""

    observations: jax.Array
    actions: jax.Array
    length: jax.Array
    chosen: jax.Array
    rejected: jax.Array


@dataclass(frozen=True)
class Prepared:
    """A dataset on the devices, ready for many calls of `train`. See `prepare`."""

    data: PairedData
    template: Policy
    fresh: bool


def prepare(
    dataset: PreferenceDataset,
    settings: TrainSettings | None = None,
    start: Policy | None = None,
) -> Prepared:
    """Normalise a dataset's observations and place it on every device, once.

    Arguments and errors as in `train`.
    """
    settings = settings or TrainSettings()
    if dataset.rows < settings.minibatch:
        raise ValueError(
            f"The dataset has {dataset.rows} rows, fewer than a minibatch of "
            f"{settings.minibatch}."
        )
    if start is not None and (
        start.observation_size != dataset.observation_size
        or start.action_size != dataset.action_size
    ):
        raise ValueError(
            f"The start policy is for {start.observation_size} observations and "
            f"{start.action_size} actions; the dataset has {dataset.observation_size} and "
            f"{dataset.action_size}."
        )
    dataset = dataset.compact()
    template = start
    if template is None:
        mean, std = dataset.observation_moments()
        template = new_policy(
            jax.random.key(0), dataset.action_size, mean, std, settings.hidden, settings.initial_std
        )
    observations = dataset.trajectories.observations - np.asarray(template.observation_mean)
    observations /= np.asarray(template.observation_std)
    data = PairedData(
        observations=observations,
        actions=dataset.trajectories.actions,
        length=dataset.trajectories.length,
        chosen=dataset.chosen,
        rejected=dataset.rejected,
    )
    return Prepared(replicate(data), replicate(template), fresh=start is None)


def train(
    objective: Objective | Sequence[Objective],
    dataset: PreferenceDataset | Prepared,
    *,
    seeds: Sequence[int],
    settings: TrainSettings | None = None,
    start: Policy | None = None,
) -> Trained:
    """Train one agent for each seed.

    Args:
        objective: one for all agents, or one for each seed: of one class, differing in
            hyper-parameters only.
        dataset: preference pairs, or what `prepare` made of them with these settings.
        seeds: of each agent's new networks, minibatch order and sampled time steps. Equal
            seeds see equal minibatches, whatever the objective.
        settings: None for the paper's.
        start: policy that all agents start from, with its normaliser; None for random networks
            with the dataset's observation moments. Ignored where `dataset` is prepared.

    Raises:
        ValueError: no seeds; another number of objectives than seeds; fewer rows than a
            minibatch; `start` of another robot; fewer epochs than the objective has stages.
    """
    settings = settings or TrainSettings()
    one_each = [objective] * len(seeds) if isinstance(objective, Objective) else list(objective)
    if not one_each or len(one_each) != len(seeds):
        raise ValueError(
            f"train needs at least one seed and one objective for each seed: got {len(seeds)} "
            f"seeds and {len(one_each)} objectives."
        )
    stages = stage_epochs(one_each[0], settings.epochs)
    ready = dataset if isinstance(dataset, Prepared) else prepare(dataset, settings, start)
    policies, curves = _train(
        stack(one_each),
        jnp.asarray(seeds, jnp.uint32),
        ready.template,
        ready.data,
        settings=settings,
        stages=stages,
        fresh=ready.fresh,
    )
    finite = [np.isfinite(leaf).reshape(len(seeds), -1) for leaf in jax.tree.leaves(policies)]
    return Trained(
        policies=policies,
        curves=curves,
        stages=tuple(name for name, epochs in stages for _ in range(epochs)),
        diverged=~np.concatenate(finite, axis=1).all(axis=1),
    )


def stage_epochs(objective: Objective, epochs: int) -> tuple[tuple[str, int], ...]:
    """An objective's stages with their shares of `epochs`, the last stage at least one.

    Raises:
        ValueError: fewer epochs than stages.
    """
    stages = objective.stages
    if epochs < len(stages):
        raise ValueError(
            f"{objective.name} has {len(stages)} stages ({', '.join(n for n, _ in stages)}), so "
            f"it needs at least {len(stages)} epochs, not {epochs}."
        )
    whole = sum(share for _, share in stages)
    ends = np.cumsum([share for _, share in stages]) * epochs / whole
    edges = [0]
    for position, end in enumerate(ends):
        left = len(stages) - 1 - position
        edges.append(int(np.clip(round(end), edges[-1] + 1, epochs - left)))
    return tuple(
        (name, after - before)
        for (name, _), before, after in zip(stages, edges[:-1], edges[1:], strict=True)
    )


@partial(jax.jit, static_argnames=("settings", "stages", "fresh"))
def _train(
    objective: Objective,
    seeds: jax.Array,
    template: Policy,
    data: PairedData,
    *,
    settings: TrainSettings,
    stages: tuple[tuple[str, int], ...],
    fresh: bool,
) -> tuple[Policy, Curves]:
    def one_agent(agent: tuple, template: Policy, data: PairedData) -> tuple[Policy, Curves]:
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
            )
        curves = []
        for (name, epochs), key in zip(stages, stage_keys, strict=True):
            now = objective if name == objective.name else _stage_objective(name, objective)
            policy, curve = _stage(now, policy, data, key, epochs, settings)
            curves.append(curve)
        return policy, jax.tree.map(lambda *x: jnp.concatenate(x), *curves)

    return map_over_devices(one_agent, (objective, seeds), template, data)


def _stage_objective(name: str, objective: Objective) -> Objective:
    return as_pytree(objectives.get(name, aggregation=objective.aggregation))


def _stage(
    objective: Objective,
    policy: Policy,
    data: PairedData,
    key: jax.Array,
    epochs: int,
    settings: TrainSettings,
) -> tuple[Policy, Curves]:
    """One stage of one agent, from a fresh optimiser."""
    rows = data.chosen.shape[0]
    steps_an_epoch = rows // settings.minibatch
    optimiser = optax.chain(
        optax.clip_by_global_norm(settings.max_gradient_norm), optax.adam(settings.learning_rate)
    )
    reference = _reference(policy, data) if objective.needs_reference else None
    order_key, time_key = jax.random.split(key)

    def loss(parameters: Any, which: jax.Array, progress: jax.Array, key: jax.Array) -> tuple:
        sums, length, reference_sums = _log_prob_sums(
            policy, parameters, data, reference, which, key, settings.time_steps
        )
        pairs = PairLogProbs(
            chosen=sums[0],
            rejected=sums[1],
            reference_chosen=None if reference_sums is None else reference_sums[0],
            reference_rejected=None if reference_sums is None else reference_sums[1],
            chosen_length=length[0],
            rejected_length=length[1],
        )
        value = jnp.mean(objective(pairs, progress))
        mean = sums / length
        gain = mean if reference_sums is None else mean - reference_sums / length
        margin = gain[0] - gain[1]
        seen = (mean[0].mean(), mean[1].mean(), margin.mean(), (margin > 0).mean())
        return value, seen

    def step(carry: tuple, item: tuple) -> tuple:
        parameters, state, done = carry
        which, key = item
        progress = done / (epochs * steps_an_epoch)
        (value, seen), gradient = jax.value_and_grad(loss, has_aux=True)(
            parameters, which, progress, key
        )
        updates, state = optimiser.update(gradient, state)
        curve = Curves(value, *seen, optax.tree.norm(gradient))
        return (optax.apply_updates(parameters, updates), state, done + 1), curve

    def epoch(carry: tuple, key: jax.Array) -> tuple:
        shuffle, times = key
        order = jax.random.permutation(shuffle, rows)[: steps_an_epoch * settings.minibatch]
        batches = order.reshape(steps_an_epoch, settings.minibatch)
        carry, curve = jax.lax.scan(step, carry, (batches, jax.random.split(times, steps_an_epoch)))
        return carry, jax.tree.map(jnp.mean, curve)

    keys = (jax.random.split(order_key, epochs), jax.random.split(time_key, epochs))
    carry = (policy.parameters, optimiser.init(policy.parameters), jnp.float32(0))
    (parameters, _, _), curves = jax.lax.scan(epoch, carry, keys)
    return policy.replace(parameters=parameters), curves


def _log_prob_sums(
    policy: Policy,
    parameters: Any,
    data: PairedData,
    reference: jax.Array | None,
    rows: jax.Array,
    key: jax.Array,
    time_steps: int | None,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Log-probs summed over valid time steps and action dimensions, for a minibatch of pairs.

    Returns:
        The policy's sums, the valid lengths and the reference's sums, each of shape
        (2: chosen and rejected, pairs).
    """
    which = jnp.stack([data.chosen[rows], data.rejected[rows]])
    length = data.length[which].astype(jnp.float32)
    side = jnp.arange(2)[:, None]
    if time_steps is None:
        steps = data.observations.shape[1]
        observations, actions = data.observations[which], data.actions[which]
        weight = (jnp.arange(steps) < length[..., None]).astype(jnp.float32)
        at = slice(None)
        per_step_reference = None if reference is None else reference[rows[None], side]
    else:
        # One step from each of `time_steps` equal parts of the valid steps: every step is as
        # likely as any other, so the scaled sum is unbiased, and parts keep its variance low.
        jitter = jax.random.uniform(key, (*which.shape, time_steps))
        share = (jnp.arange(time_steps) + jitter) / time_steps
        at = jnp.minimum(jnp.floor(share * length[..., None]), length[..., None] - 1)
        at = at.astype(jnp.int32)
        observations = data.observations[which[..., None], at]
        actions = data.actions[which[..., None], at]
        weight = jnp.broadcast_to((length / time_steps)[..., None], at.shape)
        per_step_reference = (
            None if reference is None else reference[rows[None, :, None], side[..., None], at]
        )
    log_prob = policy.actor.apply(parameters, observations, actions, method="log_prob")
    sums = jnp.sum(log_prob * weight, axis=-1)
    if per_step_reference is None:
        return sums, length, None
    return sums, length, jnp.sum(per_step_reference * weight, axis=-1)


def _reference(policy: Policy, data: PairedData) -> jax.Array:
    """The reference's log-prob of every step of every pair, summed over action dimensions;
    shape (rows, 2: chosen and rejected, steps). Computed once, at the start of a stage."""

    def of_pair(pair: jax.Array) -> jax.Array:
        return policy.actor.apply(
            policy.parameters, data.observations[pair], data.actions[pair], method="log_prob"
        )

    return jax.lax.map(of_pair, jnp.stack([data.chosen, data.rejected], axis=1))
