"""What an objective declares to training beyond a batch's log-probs: see `objectives.needs`."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mirrorpo.objectives import Objective, PairPlan, ReferenceUpdate


class Carried(NamedTuple):
    """What an objective's stage carries from step to step.

    Attributes:
        reference: parameters of a reference policy that moves; None where it is fixed.
        memory: shape (memory_size,); None where the objective has none.
    """

    reference: Any = None
    memory: jax.Array | None = None


def first_carried(objective: Objective, parameters: Any) -> Carried:
    """At the start of a stage: the policy is its own reference, and nothing is remembered."""
    return Carried(
        None if objective.reference_update is None else parameters,
        jnp.full(objective.memory_size, jnp.nan) if objective.memory_size else None,
    )


def followed(
    update: ReferenceUpdate | None, reference: Any, parameters: Any, done: jax.Array
) -> Any:
    """A moving reference's parameters after `done` steps; None where it is fixed."""
    if update is None:
        return None
    rate = jnp.where(jnp.mod(done, jnp.round(update.every)) == 0, update.rate, 0.0)
    return jax.tree.map(lambda old, new: old + rate * (new - old), reference, parameters)


def plan_of(objective: Objective, own_stage: bool) -> PairPlan | None:
    """The plan of one of an objective's stages: those before its own only leave pairs out."""
    plan = objective.pair_plan
    return plan if plan is None or own_stage else PairPlan(dropped=plan.dropped)


def in_order(plan: PairPlan | None, key: jax.Array, ease: jax.Array | None, rows: int) -> jax.Array:
    """The rows of one epoch in order, shape (rows,).

    Args:
        plan: None for all rows, shuffled.
        key: the key of the random order.
        ease: the ease of each pair, shape (rows,); only read where there is a plan.
        rows: the number of rows of the dataset.
    """
    order = jax.random.permutation(key, rows)
    if plan is None or ease is None:
        return order
    # The easiest pair stays, whatever the share.
    left_out = ease[order] < jnp.minimum(plan.dropped, ease.max())
    kept_first = order[jnp.argsort(left_out, stable=True)]
    order = kept_first[jnp.arange(rows) % (rows - left_out.sum())]
    if plan.easy_first:
        order = order[jnp.argsort(-ease[order], stable=True)]
    return order
