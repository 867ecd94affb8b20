"""What objectives say about themselves, and what they answer to bad input."""

import itertools
import pickle
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import component

ROW = np.array([-1.0, -2.0])
LOSSES = Path(objectives.__file__).parent / "losses"


def test_every_name_in_the_folder_of_losses_is_available():
    code = "".join(path.read_text("utf-8") for path in LOSSES.glob("*.py"))
    stated = set(re.findall(r'^    name(?:: ClassVar\[str\])? = "(.+)"$', code, re.MULTILINE))
    own = {
        name
        for name in objectives.available()
        if type(objectives.get(name)).__module__.startswith("mirrorpo.objectives")
    }
    # Users' files that tests have loaded before bring others; some losses bring a function.
    assert own <= stated
    assert stated - own <= component.registered("function").keys()


def test_stages_are_ten_epochs_of_sft_then_two_or_twelve_in_one(every_name):
    objective = objectives.get(every_name)
    two = (("sft", 10), (every_name, 2))
    assert objective.stages == (two if objective.after_sft else ((every_name, 12),))


def test_a_loss_with_a_reference_starts_from_a_fitted_policy(every_name):
    """The reference is the policy after SFT; only a gate can ask the one before it."""
    objective = objectives.get(every_name)
    if objective.needs_reference and every_name != "gated-reference":
        assert objective.after_sft


def test_reference_is_needed_exactly_where_the_loss_uses_it(arrays, every_name):
    objective = objectives.get(every_name)
    without = objectives.PairLogProbs(*arrays[:2])
    other = objectives.PairLogProbs(*arrays[:2], 2 * arrays[2], 0.5 * arrays[3])
    if objective.needs_reference:
        with pytest.raises(ValueError, match="pass reference_chosen and reference_rejected"):
            objective(without)
        with pytest.raises(ValueError, match="pass reference_chosen and reference_rejected"):
            objective(objectives.PairLogProbs(*arrays[:3]))
        assert (objective(objectives.PairLogProbs(*arrays[:4])) != objective(other)).any()
    else:
        np.testing.assert_array_equal(objective(without), objective(other))


def test_paper_and_docstring_are_stated(every_name):
    objective = objectives.get(every_name)
    paper = objective.paper
    assert 2019 < paper.year < 2100
    assert all((paper.title, paper.authors, paper.arxiv, paper.equation))
    assert paper.title in str(paper)
    assert type(objective).__doc__


def test_grid_has_at_most_six_combinations_of_valid_values(arrays, every_name):
    cls = type(objectives.get(every_name))
    combinations = list(itertools.product(*cls.search_grid.values()))
    assert 1 <= len(combinations) <= 6
    extremes = np.asarray([-1e6, -1e3, -1.0, -1e-7], np.float32)
    batch = objectives.PairLogProbs(extremes, extremes[::-1], extremes, extremes[[1, 0, 3, 2]])
    for values in combinations:
        settings = dict(zip(cls.search_grid, values, strict=True))
        objective = objectives.get(every_name, aggregation="mean", **settings)
        assert np.isfinite(objective(batch, 0.5)).all()


def test_grids_are_read_only():
    with pytest.raises(TypeError):
        objectives.get("dpo").search_grid["beta"] = (1.0,)


def test_simpo_grid_has_the_papers_large_gamma_and_small_ones():
    gammas = objectives.get("simpo").search_grid["gamma"]
    assert max(gammas) == 10
    assert min(gammas) < 1


@pytest.mark.parametrize(
    ("name", "near"), [("dp", "dpo"), ("DPO", "dpo"), ("ta_mpo", "ta-mpo"), ("simpoo", "simpo")]
)
def test_an_unknown_name_is_answered_with_the_near_ones(name, near):
    with pytest.raises(ValueError, match=f"Unknown objective '{name}'. Did you mean {near}"):
        objectives.get(name)


def test_case_and_hyphens_alone_are_answered_with_one_name():
    for name, near in (("DPO", "dpo"), ("TA_MPO", "ta-mpo")):
        with pytest.raises(ValueError, match=rf"Did you mean {near}\? "):
            objectives.get(name)


def test_an_unknown_name_without_near_ones_is_answered_with_where_they_are():
    with pytest.raises(ValueError, match=r"'zzzzzzzz'\. `mirrorpo objectives` lists them"):
        objectives.get("zzzzzzzz")


def test_an_unknown_hyperparameter_is_answered_with_the_near_ones():
    with pytest.raises(
        ValueError, match=r"simpo has no hyper-parameter 'gama'\. Did you mean gamma"
    ):
        objectives.get("simpo", gama=1.0)
    with pytest.raises(ValueError, match="sft has no hyper-parameter 'beta'"):
        objectives.get("sft", beta=1.0)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "message"),
    [
        ("dpo", {"beta": 0}, "dpo: beta is 0, but must be finite and above 0"),
        ("dpo", {"beta": -1.5}, "dpo: beta is -1.5"),
        ("dpo", {"beta": float("nan")}, "beta is nan"),
        ("dpo", {"beta": float("inf")}, "beta is inf"),
        ("dpo", {"beta": "0.1"}, "beta is '0.1', but must be a number"),
        ("dpo", {"beta": True}, "beta is True, but must be a number"),
        ("dpo", {"beta": None}, "beta is None: give a value, or leave it out"),
        ("dpo", {"beta": [1.0]}, r"beta is \[1.0\], but must be a number"),
        ("dpo", {"aggregation": None}, "aggregation is None: give a value, or leave it out"),
        ("dpo", {"beta": np.float32(-1)}, "above 0"),
        ("ipo", {"tau": 0.0}, "tau is 0.0"),
        ("cdpo", {"label_smoothing": 0.5}, "at least 0 and below 0.5"),
        ("robust-dpo", {"label_smoothing": -0.1}, "at least 0 and below 0.5"),
        ("exo", {"label_smoothing": 0}, "above 0 and below 0.5"),
        ("slic", {"delta": -1}, "delta is -1"),
        ("fdpo", {"divergence": "chi"}, "divergence is 'chi', but must be one of: 'reverse-kl'"),
        ("fdpo", {"alpha": 1.0}, "alpha is 1.0"),
        ("dpo", {"aggregation": "average"}, "aggregation is 'average'.*'sum', 'mean'"),
        ("dpo", {"aggregation": 1}, "aggregation is 1"),
        ("ta-mpo", {"schedule": "cosine"}, "schedule is 'cosine', which is not one of: .*linear"),
        ("ta-mpo", {"schedule": 3}, "schedule is 3, but must be a scalar function"),
        ("1s-mpo", {"psi": "lg"}, "psi is 'lg'"),
    ],
)
def test_a_bad_hyperparameter_is_named_with_what_is_allowed(name, hyperparameters, message):
    with pytest.raises(ValueError, match=message):
        objectives.get(name, **hyperparameters)


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
def test_progress_outside_training_is_refused(pairs, progress):
    with pytest.raises(ValueError, match=r"progress is .* must be in"):
        objectives.get("ta-mpo")(pairs, progress)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"chosen \(2,\), rejected \(2, 3\)"):
        objectives.PairLogProbs(ROW, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"same shape \(batch,\)"):
        objectives.PairLogProbs(ROW, ROW, chosen_length=np.ones(1))


def test_lists_and_numbers_are_refused():
    with pytest.raises(ValueError, match="chosen is a list; pass a NumPy"):
        objectives.PairLogProbs([-1.0], ROW)
    with pytest.raises(TypeError, match="expected a NumPy, JAX or PyTorch array"):
        objectives.get("sft")(objectives.PairLogProbs(-1.0, -2.0))


def test_mixed_libraries_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="Multiple namespaces"):
        objectives.get("cpo")(objectives.PairLogProbs(jnp.zeros(2), torch.zeros(2)))


def test_lengths_and_agreements_are_of_both_sides_or_of_none():
    simpo = objectives.get("simpo")
    for name in ("length", "agreement"):
        for side in ("chosen", "rejected"):
            pairs = objectives.PairLogProbs(ROW, ROW, **{f"{side}_{name}": np.ones(2)})
            with pytest.raises(ValueError, match=f"the pairs have {side}_{name} alone"):
                simpo(pairs)
            with pytest.raises(ValueError, match=f"the pairs have {side}_{name} alone"):
                simpo.remember(pairs)


def test_a_length_of_zero_counts_as_one():
    pairs = objectives.PairLogProbs(ROW, ROW, None, None, np.array([0, 2]), np.array([1, 1]))
    np.testing.assert_allclose(objectives.get("sft", aggregation="mean")(pairs), [1.0, 1.0])


def test_a_single_pair_without_batch_axis_works(arrays, every_name):
    scalars = objectives.PairLogProbs(*(array[0] for array in arrays))
    assert np.shape(objectives.get(every_name)(scalars)) == ()


def test_equal_settings_are_equal_hashable_and_survive_pickling(every_name):
    objective = objectives.get(every_name)
    assert objective == objectives.get(every_name)
    assert hash(objective) == hash(objectives.get(every_name))
    assert pickle.loads(pickle.dumps(objective)) == objective
    assert objectives.get(every_name, aggregation="mean") != objectives.get(
        every_name, aggregation="sum"
    )


def test_a_users_own_objective_is_available_by_name(monkeypatch):
    import dataclasses

    monkeypatch.setattr(component, "_registry", dict(component._registry))

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Mine(objectives.MirrorObjective):
        name = "mine"
        scale: float = objectives.number(2.0, above=0)

        def terms(self, batch, progress):
            return objectives.Terms(beta=self.scale, link=objectives.Identity())

    np.testing.assert_allclose(
        objectives.get("mine")(objectives.PairLogProbs(ROW, ROW - 1)), [-2.0, -2.0]
    )
    assert not Mine.needs_reference
