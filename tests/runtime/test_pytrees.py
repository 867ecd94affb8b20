"""Objectives as JAX trees: no two losses may be taken for one another by a jitted function."""

import itertools

import jax
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import PairLogProbs
from mirrorpo.runtime.pytrees import as_pytree

PAIRS = [np.array([value, value + 0.3], "f4") for value in (-2.0, -3.5, -2.5, -2.25)]


def every_objective():
    return [
        as_pytree(objectives.get(name, aggregation="mean"))
        for name in objectives.available()
        if not name.startswith("closed-form")
    ]


def test_trees_of_two_classes_differ_also_where_their_fields_are_alike():
    trees = [(objective, jax.tree.structure(objective)) for objective in every_objective()]
    for (one, first), (other, second) in itertools.combinations(trees, 2):
        # Unequal hashes do not keep them apart: a table may look at a part of the hash alone.
        assert (first == second) == (type(one) is type(other)), (one.name, other.name)


def test_a_tree_is_made_again_with_its_class_its_static_fields_and_the_keys_of_its_leaves():
    objective = as_pytree(objectives.get("cpo", aggregation="sum", beta=0.3))
    leaves, tree = jax.tree.flatten(objective)
    assert jax.tree.unflatten(tree, leaves) == objective
    keyed = jax.tree_util.tree_leaves_with_path(objective)
    assert {jax.tree_util.keystr(key): leaf for key, leaf in keyed}[".beta"] == 0.3
    other = as_pytree(objectives.get("cpo", aggregation="mean", beta=0.3))
    assert jax.tree.structure(other) != tree


def test_one_jitted_function_computes_every_objective_as_itself():
    @jax.jit
    def loss(objective, chosen, rejected, *reference):
        return objective(PairLogProbs(chosen, rejected, *reference), 0.25)

    for objective in every_objective():
        given = PAIRS[: 4 if objective.needs_reference else 2]
        expected = objective(PairLogProbs(*given), 0.25)
        found = loss(objective, *given)
        assert found == pytest.approx(np.asarray(expected), rel=1e-4, abs=1e-5), objective.name
