"""A loss is tried on a few pairs before it is trained."""

import re

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives.naming import resolve
from mirrorpo.study import tryout
from mirrorpo.user_text import UserText

pytestmark = pytest.mark.usefixtures("names_are_forgotten")

BODIES = """
from dataclasses import dataclass

import numpy as np

from mirrorpo.objectives import Objective
from mirrorpo.objectives.arrays import namespace


@dataclass(frozen=True, kw_only=True)
class Tried(Objective):
    name = "tried"

    def loss(self, batch, progress):
        xp = namespace(batch.chosen)
        BODY
"""


def tried(tmp_path, body, library="jax"):
    path = tmp_path / "tried.py"
    path.write_text(BODIES.replace("BODY", body))
    return resolve(UserText(f"{path}:Tried"), tryout.by(library))


SHAPE = "but must return the loss of each pair: an array of floating-point numbers of shape (3,)"


@pytest.mark.parametrize("library", ["jax", "torch"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return xp.stack([batch.chosen, batch.rejected], axis=1)", f"shape (3, 2), {SHAPE}"),
        ("return xp.concat([batch.chosen, batch.rejected])", f"shape (6,), {SHAPE}"),
        ("return xp.mean(batch.chosen)", f"shape (), {SHAPE}"),
        ("return xp.astype(batch.chosen > batch.rejected, xp.int32)", f"int32, {SHAPE}"),
        ("return batch.chosen > batch.rejected", f"bool, {SHAPE}"),
        ("return None", f"returns None, {SHAPE}"),
        ("return 1.0", f"returns a float, {SHAPE}"),
        ("return [1.0, 2.0, 3.0]", f"returns a list, {SHAPE}"),
        ("return batch.chosen * 0 + float('inf')", "has a loss of inf for ordinary log-probs"),
        ("return xp.log(batch.chosen)", "has a loss of nan for ordinary log-probs"),
        ("return xp.sqrt(batch.chosen * 0)", "has a gradient of nan for ordinary log-probs"),
        ("return batch.nothing", "Tried.loss raises AttributeError: 'Batch' object has no"),
        ("raise RuntimeError('two\\nlines')", "Tried.loss raises RuntimeError: two lines"),
        ("raise SystemExit(0)", "Tried.loss raises SystemExit: 0"),
    ],
)
def test_a_loss_that_cannot_be_trained_is_one_line(body, message, library, tmp_path):
    if library == "torch":
        pytest.importorskip("torch")
    with pytest.raises(ValueError) as caught:
        tried(tmp_path, body, library)
    said = str(caught.value).replace("torch.", "")
    assert message in said
    assert "tried.py:Tried: Tried.loss" in said
    assert "\n" not in said


def test_a_loss_that_jax_cannot_trace_is_told_before_a_bench_compiles_it(tmp_path):
    for body in (
        "return batch.chosen if batch.chosen[0] > 0 else batch.rejected",
        "return np.exp(np.asarray(batch.chosen))",
    ):
        with pytest.raises(ValueError, match=r"Tried\.loss raises Tracer\w+Error"):
            tried(tmp_path, body)


def test_a_recipe_that_never_trains_the_loss_itself_is_refused(tmp_path):
    body = "return batch.chosen\n\n    stages = (('sft', 10), ('tired', 2))"
    with pytest.raises(ValueError, match="ends with 'tired', so the loss itself would never"):
        tried(tmp_path, body)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("stages = (('sft', -3), ('tried', 2))", "Tried.stages is"),
        ("stages = (('sft', 10), ('tried', 0))", "Tried.stages is"),
        ("stages = ()", "Tried.stages is"),
        ("stages = 'tried'", "Tried.stages is"),
        ("search_grid = {'nosuch': (1.0,)}", "Tried.search_grid is"),
        ("search_grid = [1, 2]", "Tried.search_grid is"),
        ("search_grid = {'aggregation': ()}", "Tried.search_grid is"),
        ("search_ranges = {'aggregation': (0.1, 1.0)}", "Tried.search_ranges is"),
        ("search_ranges = [1, 2]", "Tried.search_ranges is"),
        ("search_grid = {'aggregation': (float('nan'),)}", "Tried.search_grid is"),
        ("name = 5", "is called 5: its name must be a text"),
    ],
)
def test_what_a_loss_declares_is_seen_through_before_it_is_trained(declared, said, tmp_path):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        tried(tmp_path, f"return batch.chosen\n\n    {declared}")
    assert "\n" not in str(caught.value)


def test_objectives_of_the_zoo_pass_the_same_trial():
    for name in objectives.available()[::10]:
        tryout.check(objectives.get(name), name, "jax")


@pytest.mark.slow
def test_every_objective_of_the_zoo_passes_the_same_trial():
    for name in objectives.available():
        tryout.check(objectives.get(name), name, "jax")


def test_an_objective_refuses_a_loss_of_another_shape_wherever_it_is_called(tmp_path):
    good = tried(tmp_path, "return batch.rejected - batch.chosen")
    pairs = objectives.PairLogProbs(np.array([-1.0, -3.0]), np.array([-2.0, -2.0]))
    assert good(pairs).shape == (2,)

    class Bad(type(good)):
        name = "bad"

        def loss(self, batch, progress):
            return batch.chosen.sum()

    with pytest.raises(ValueError, match=r"Bad\.loss returns an array of shape \(\)"):
        Bad()(pairs)
