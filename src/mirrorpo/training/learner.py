"""Inner training: policies fitted to preference data by an objective (paper, Table 7).

Many agents - seeds, hyper-parameters, objectives of one class - are one compiled call of
`inner_loop.train_agents`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import near_names
from mirrorpo.objectives import Objective, stage_shares
from mirrorpo.objectives.component import registered
from mirrorpo.preferences import validation
from mirrorpo.preferences.data import Pool, PreferenceDataset
from mirrorpo.runtime.devices import gathered, replicate
from mirrorpo.runtime.pytrees import stack
from mirrorpo.seeds import check_derived
from mirrorpo.simulation.policy import Policy, finite_agents, new_policy
from mirrorpo.training.inner_loop import Curves, PairedData, train_agents
from mirrorpo.training_settings import TrainSettings


@dataclass(frozen=True)
class Trained:
    """What `train` returns.

    Attributes:
        policies: leaves with a leading axis of agents.
        curves: see `Curves`.
        stages: name of the stage of each epoch, length epochs.
        diverged: whether an agent's parameters are not finite, shape (agents,), bool.
        after_epochs: the policies after each epoch, leaves with leading axes (agents, epochs);
            None unless asked for.
    """

    policies: Policy
    curves: Curves
    stages: tuple[str, ...]
    diverged: np.ndarray
    after_epochs: Policy | None = None


@dataclass(frozen=True)
class PreparedData:
    """A dataset on the devices, ready for many calls of `train`. See `prepare`."""

    data: PairedData
    template: Policy
    fresh: bool
    dataset: PreferenceDataset

    @cached_property
    def ranked(self) -> PairedData:
        """The data with each pair's ease, which takes a preference model: made when asked for."""
        # With scikit-learn, which few objectives need and which takes long to import.
        from mirrorpo.preferences import preference_model

        return self.data._replace(ease=replicate(preference_model.ease(self.dataset)))


def check_start(start: Policy, data: Pool | PreferenceDataset) -> None:
    """Raise ValueError where a policy is of another robot than trajectories."""
    held = data.trajectories
    sizes = int(held.observations.shape[-1]), int(held.actions.shape[-1])
    if sizes != (start.observation_size, start.action_size):
        raise ValueError(
            f"The start policy is for {start.observation_size} observations and "
            f"{start.action_size} actions; the dataset has {sizes[0]} and {sizes[1]}."
        )
    if start.choices != data.card.get("choices"):
        raise ValueError("The start policy and the dataset have different kinds of actions.")


def prepare(
    dataset: PreferenceDataset, settings: TrainSettings | None = None, start: Policy | None = None
) -> PreparedData:
    """Normalise a dataset's observations and place it on every device, once.

    Arguments and errors as in `train`.
    """
    settings = settings or TrainSettings()
    _check_rows(dataset, settings.minibatch)
    if start is not None:
        check_start(start, dataset)
    validation.check_choices(dataset.trajectories.actions, dataset.choices)
    compact = dataset.compact()
    template = start
    if template is None:
        mean, std = compact.observation_moments()
        template = new_policy(
            jax.random.key(0),
            compact.action_size,
            mean,
            std,
            settings.hidden,
            settings.initial_std,
            choices=dataset.choices,
        )
    observations = compact.trajectories.observations - np.asarray(template.observation_mean)
    observations /= np.asarray(template.observation_std)
    data = PairedData(
        observations=observations,
        actions=compact.trajectories.actions,
        length=compact.trajectories.length,
        chosen=compact.chosen,
        rejected=compact.rejected,
    )
    return PreparedData(replicate(data), replicate(template), start is None, dataset)


def train(
    objective: Objective | Sequence[Objective],
    dataset: PreferenceDataset | PreparedData,
    *,
    seeds: Sequence[int],
    settings: TrainSettings | None = None,
    start: Policy | None = None,
    keep_epochs: bool = False,
) -> Trained:
    """Train one agent for each seed.

    Args:
        objective: one for all agents, or one for each seed: of one class, differing in
            hyper-parameters only.
        dataset: preference pairs, or what `prepare` made of them with these settings.
        seeds: the seeds of each agent's new networks, minibatch order and sampled time steps. Equal
            seeds see equal minibatches, whatever the objective.
        settings: None for the paper's.
        start: policy that all agents start from, with its normaliser; None for random networks
            with the dataset's observation moments. Ignored where `dataset` is prepared.
        keep_epochs: also return the policies as they are after each epoch.

    Raises:
        ValueError: no seeds, or one out of range; another number of objectives than seeds; fewer
            rows than a minibatch, or than a preference model needs where the objective asks for
            one; `start` of another robot; fewer epochs than the objective has stages.
    """
    settings = settings or TrainSettings()
    one_each = [objective] * len(seeds) if isinstance(objective, Objective) else list(objective)
    if not one_each or len(one_each) != len(seeds):
        raise ValueError(
            f"train needs at least one seed and one objective for each seed: got {len(seeds)} "
            f"seeds and {len(one_each)} objectives."
        )
    check_derived(seeds)
    stages = stage_epochs(one_each[0], settings.epochs, settings.single_stage)
    ready = dataset if isinstance(dataset, PreparedData) else prepare(dataset, settings, start)
    # The data may have been prepared with other settings.
    _check_rows(ready.dataset, settings.minibatch)
    trained = train_agents(
        stack(one_each),
        np.asarray(seeds, np.uint32),
        ready.template,
        ready.ranked if one_each[0].needs_ease else ready.data,
        settings=settings,
        stages=stages,
        fresh=ready.fresh,
        keep_epochs=keep_epochs,
    )
    policies, curves, _, parameters = gathered(trained, len(one_each))
    return Trained(
        policies=policies,
        curves=curves,
        stages=tuple(name for name, epochs in stages for _ in range(epochs)),
        diverged=~finite_agents(policies),
        after_epochs=_with_normaliser(parameters, policies) if keep_epochs else None,
    )


def _check_rows(dataset: PreferenceDataset, minibatch: int) -> None:
    """Raise ValueError where a dataset does not fill one minibatch: nothing would be trained."""
    if dataset.rows < minibatch:
        raise ValueError(
            f"The dataset has {dataset.rows} rows, fewer than a minibatch of {minibatch}."
        )


def visited(
    objective: Objective,
    prepared: PreparedData,
    *,
    seeds: Sequence[int],
    settings: TrainSettings,
    minibatches: int = 20,
) -> np.ndarray:
    """What training with an objective sees of its pairs.

    Args:
        objective: the objective of all agents.
        prepared: see `prepare`.
        seeds: the seeds of the agents to train.
        settings: the settings of training.
        minibatches: recorded from each epoch of the objective's own stage, evenly spread.

    Returns:
        Shape (pairs, 5), float64: log-probs of chosen and rejected, the reference's of both
        (NaN where the objective has none) - sums over action dimensions and means over time
        steps - and the stage's progress in [0, 1]. Pairs of diverged agents are left out.
    """
    trained = train_agents(
        stack([objective] * len(seeds)),
        np.asarray(seeds, np.uint32),
        prepared.template,
        prepared.ranked if objective.needs_ease else prepared.data,
        settings=settings,
        stages=stage_epochs(objective, settings.epochs, settings.single_stage),
        fresh=prepared.fresh,
        record=min(minibatches, prepared.data.chosen.shape[0] // settings.minibatch),
    )
    pairs = gathered(trained[2], len(seeds))
    points = np.asarray(pairs, np.float64).reshape(-1, 5)
    return points[np.isfinite(points[:, [0, 1, 4]]).all(axis=1)]


def _with_normaliser(parameters: Any, policies: Policy) -> Policy:
    """Parameters with leading axes (agents, epochs) as policies with each agent's normaliser."""
    agents, epochs = jax.tree.leaves(parameters)[0].shape[:2]

    def each_epoch(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x[:, None], (agents, epochs, *x.shape[1:]))

    mean, std = map(each_epoch, (policies.observation_mean, policies.observation_std))
    return Policy(parameters, mean, std, policies.mean_limit)


def stage_epochs(
    objective: Objective, epochs: int, single_stage: Collection[str] = ()
) -> tuple[tuple[str, int], ...]:
    """An objective's stages with their shares of `epochs`, the last stage at least one.

    Args:
        objective: whose `stages` count.
        epochs: the number of epochs of all stages together.
        single_stage: names of objectives that skip their SFT stage.

    Raises:
        ValueError: fewer epochs than stages, or a name in `single_stage` that no objective has.
    """
    known = {*registered("objective"), objective.name}
    for name in single_stage:
        if name not in known:
            raise ValueError(
                f"single_stage names {name!r:.60}, which is the name of no objective."
                f"{near_names.hint(name.partition('[')[0], known)} Names stand without values."
            )
    stages = objective.stages[-1:] if objective.name in single_stage else objective.stages
    if epochs < len(stages):
        raise ValueError(
            f"{objective.name} has {len(stages)} stages ({', '.join(n for n, _ in stages)}), so "
            f"it needs at least {len(stages)} epochs, not {epochs}."
        )
    ends = stage_shares.ends([share for _, share in stages], epochs)
    return tuple(
        (name, end - start)
        for (name, _), start, end in zip(stages, (0, *ends[:-1]), ends, strict=True)
    )
