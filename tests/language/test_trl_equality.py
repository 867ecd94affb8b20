"""One batch, one model: TRL's own trainers and ours give the same loss and the same gradients.

TRL's CPO and ORPO take their SFT term over the batch's tokens, ours is over its sequences; ORPO's
also counts the prompt's. The two agree where chosen completions are equally long and prompts have
one token, as in `tiny.ALIKE`; the preference terms are compared on sequences of any length.
"""

import pytest

from mirrorpo import objectives
from mirrorpo.objectives import Hinge, SmoothedLogSigmoid, Square, Zero

from . import tiny

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
cpo = pytest.importorskip("trl.experimental.cpo")
orpo = pytest.importorskip("trl.experimental.orpo")

LENGTH = 4  # tokens of each chosen completion in ALIKE: three words and the end
SMOOTHING = {"label_smoothing": 0.2}


def theirs(trainer_class, config_class, folder, pairs, **changes):
    reference = changes.pop("ref_model", None)
    parts = {} if reference is None else {"ref_model": reference}
    return trainer_class(
        model=tiny.model(0),
        args=config_class(**tiny.arguments(folder, **changes)),
        train_dataset=tiny.dataset(pairs),
        processing_class=tiny.tokenizer(),
        **parts,
    )


def assert_equal(made, expected):
    ours, trls = (
        tiny.loss_and_gradients(trainer, tiny.collated(trainer)) for trainer in (made, expected)
    )
    torch.testing.assert_close(ours[0], trls[0], rtol=1e-5, atol=1e-5)
    assert ours[1].keys() == trls[1].keys()
    largest = max(gradient.abs().max() for gradient in trls[1].values())
    assert largest > 1e-3
    for name, gradient in trls[1].items():
        torch.testing.assert_close(ours[1][name], gradient, rtol=1e-5, atol=1e-5 * largest.item())


def one_step(**functions):
    return objectives.get("1s-mpo", inverse_potential="log", **{"psi": Zero(), **functions})


CPO_LOSSES = {
    "sigmoid": (
        objectives.get("cpo", beta=0.3, sft_weight=0.0),
        {"loss_type": "sigmoid", "beta": 0.3},
    ),
    "smoothed sigmoid": (
        one_step(link=SmoothedLogSigmoid(**SMOOTHING), beta=0.3, weight=1.0),
        {"loss_type": "sigmoid", "beta": 0.3, **SMOOTHING},
    ),
    "hinge": (
        one_step(link=Hinge(), beta=0.3, weight=1.0),
        {"loss_type": "hinge", "beta": 0.3},
    ),
    "ipo": (
        one_step(link=Square(target=0.5 / 0.3), beta=1.0, weight=1.0, aggregation="mean"),
        {"loss_type": "ipo", "beta": 0.3},
    ),
    "simpo": (
        objectives.get("simpo", beta=2.0, gamma=0.8),
        {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.8},
    ),
    "smoothed simpo": (
        objectives.get("simpo-smoothed", beta=2.0, gamma=0.8, **SMOOTHING),
        {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.8, **SMOOTHING},
    ),
    "alphapo": (
        objectives.get("alphapo", beta=2.0, gamma=0.8, alpha=0.25),
        {"loss_type": "alphapo", "beta": 2.0, "simpo_gamma": 0.8, "alpha": 0.25},
    ),
}


@pytest.mark.parametrize("name", CPO_LOSSES)
def test_losses_without_sft_term_equal_the_cpo_trainers(name, tmp_path):
    objective, settings = CPO_LOSSES[name]
    made = tiny.trainer(objective, tmp_path, sft_stage=False)
    expected = theirs(
        cpo.CPOTrainer, cpo.CPOConfig, tmp_path, tiny.PAIRS, cpo_alpha=0.0, **settings
    )
    assert_equal(made, expected)


CPO_LOSSES_WITH_SFT = {
    "smoothed sigmoid": (
        objectives.get("cpo-smoothed", beta=0.3, sft_weight=0.7 / LENGTH, **SMOOTHING),
        {"loss_type": "sigmoid", "beta": 0.3, "cpo_alpha": 0.7, **SMOOTHING},
    ),
    "sigmoid": (
        objectives.get("cpo", beta=0.3, sft_weight=0.7 / LENGTH),
        {"loss_type": "sigmoid", "beta": 0.3, "cpo_alpha": 0.7},
    ),
    "hinge": (
        objectives.get("slic", weight=0.7 / LENGTH, delta=1.0),
        {"loss_type": "hinge", "beta": 1.0, "cpo_alpha": 0.7},
    ),
    "ipo": (
        one_step(psi="log", link=Square(target=1.0), beta=1.0, weight=1.0, aggregation="mean"),
        {"loss_type": "ipo", "beta": 0.5, "cpo_alpha": 1.0},
    ),
    "simpo": (
        objectives.get("sft-simpo", beta=2.0, gamma=0.8, weight=1.0, aggregation="mean"),
        {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.8, "cpo_alpha": 1.0},
    ),
}


@pytest.mark.parametrize("name", CPO_LOSSES_WITH_SFT)
def test_losses_with_sft_term_equal_the_cpo_trainers(name, tmp_path):
    objective, settings = CPO_LOSSES_WITH_SFT[name]
    made = tiny.trainer(objective, tmp_path, pairs=tiny.ALIKE)
    expected = theirs(cpo.CPOTrainer, cpo.CPOConfig, tmp_path, tiny.ALIKE, **settings)
    assert_equal(made, expected)


def test_orpo_equals_the_orpo_trainers(tmp_path):
    made = tiny.trainer(objectives.get("orpo", weight=0.3), tmp_path, pairs=tiny.ALIKE)
    expected = theirs(orpo.ORPOTrainer, orpo.ORPOConfig, tmp_path, tiny.ALIKE, beta=0.3)
    assert_equal(made, expected)


DPO_LOSSES = {
    "dpo": ("sigmoid", {"beta": 0.3}, {}),
    "dpo-norm": ("sigmoid_norm", {"beta": 2.0}, {}),
    "hinge": ("hinge", {"beta": 0.3}, {}),
    "ipo": ("ipo", {"tau": 0.4}, {}),
    "exo": ("exo_pair", {"beta": 0.3, **SMOOTHING}, SMOOTHING),
    "nca": ("nca_pair", {"beta": 0.3}, {}),
    "robust-dpo": ("robust", {"beta": 0.3, **SMOOTHING}, SMOOTHING),
    "bco": ("bco_pair", {"beta": 0.3}, {}),
    "sppo": ("sppo_hard", {"beta": 0.3}, {}),
    "aot": ("aot", {"beta": 0.3}, {}),
    "aot-unpaired": ("aot_unpaired", {"beta": 0.3}, {}),
    "apo-zero": ("apo_zero", {"beta": 0.3}, {}),
    "apo-down": ("apo_down", {"beta": 0.3}, {}),
    "discopop": ("discopop", {"beta": 0.3}, {}),
    "fdpo forward-kl": (
        "sigmoid",
        {"beta": 0.3, "divergence": "forward-kl"},
        {"f_divergence_type": "forward_kl"},
    ),
    "fdpo jensen-shannon": (
        "sigmoid",
        {"beta": 0.3, "divergence": "jensen-shannon"},
        {"f_divergence_type": "js_divergence"},
    ),
    "fdpo alpha": (
        "sigmoid",
        {"beta": 0.3, "divergence": "alpha", "alpha": 0.3},
        {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7},
    ),
}


DPO_LOSSES_ALIKE = {
    "irpo": ({"beta": 0.3, "alpha": 0.7}, {"loss_weights": [1.0, 0.7]}),
    "rpo": ({"beta": 0.3, "eta": 0.5}, {"loss_weights": [1.0, 0.15 * LENGTH]}),
}


@pytest.mark.parametrize("name", DPO_LOSSES_ALIKE)
def test_dpo_with_an_sft_term_equals_the_dpo_trainers_weighted_losses(name, tmp_path):
    ours, settings = DPO_LOSSES_ALIKE[name]
    objective, other = objectives.get(name, **ours), tiny.model(1)
    alike = {"sft_stage": False, "ref_model": other, "pairs": tiny.ALIKE}
    made = tiny.trainer(objective, tmp_path, **alike)
    expected = theirs(
        trl.DPOTrainer,
        trl.DPOConfig,
        tmp_path,
        tiny.ALIKE,
        ref_model=tiny.model(1),
        loss_type=["sigmoid", "sft"],
        beta=ours["beta"],
        **settings,
    )
    assert_equal(made, expected)


def test_wpo_equals_the_dpo_trainers_weighting(tmp_path):
    objective = objectives.get("wpo", beta=0.3, weights="free")
    made = tiny.trainer(objective, tmp_path, sft_stage=False, ref_model=tiny.model(1))
    expected = theirs(
        trl.DPOTrainer,
        trl.DPOConfig,
        tmp_path,
        tiny.PAIRS,
        ref_model=tiny.model(1),
        loss_type=["sigmoid"],
        beta=0.3,
        use_weighting=True,
    )
    assert_equal(made, expected)


@pytest.mark.parametrize("name", DPO_LOSSES)
def test_losses_with_a_reference_equal_the_dpo_trainers(name, tmp_path):
    loss_type, ours, settings = DPO_LOSSES[name]
    objective = objectives.get(name.split()[0], **ours)
    made = tiny.trainer(objective, tmp_path, sft_stage=False, ref_model=tiny.model(1))
    expected = theirs(
        trl.DPOTrainer,
        trl.DPOConfig,
        tmp_path,
        tiny.PAIRS,
        ref_model=tiny.model(1),
        loss_type=[loss_type],
        beta=ours.get("beta", ours.get("tau")),
        **settings,
    )
    assert_equal(made, expected)


def test_whole_training_equals_the_cpo_trainers(tmp_path):
    objective, settings = CPO_LOSSES["simpo"]
    made = tiny.trainer(objective, tmp_path, sft_stage=False, num_train_epochs=3)
    expected = theirs(
        cpo.CPOTrainer,
        cpo.CPOConfig,
        tmp_path,
        tiny.PAIRS,
        cpo_alpha=0.0,
        num_train_epochs=3,
        **settings,
    )
    made.train()
    expected.train()
    assert len(tiny.logged(made, "loss")) == 12
    torch.testing.assert_close(
        tiny.logged(made, "loss"), tiny.logged(expected, "loss"), rtol=1e-4, atol=1e-5
    )


def test_a_mixture_of_experts_keeps_its_router_loss(tmp_path):
    def mixture():
        torch.manual_seed(0)
        config = tiny.transformers.MixtralConfig(
            vocab_size=tiny.VOCABULARY,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            num_local_experts=2,
            num_experts_per_tok=1,
            output_router_logits=True,
            router_aux_loss_coef=0.1,
            pad_token_id=0,
        )
        return tiny.transformers.MixtralForCausalLM(config)

    objective, settings = CPO_LOSSES["simpo"]
    made = tiny.trainer(objective, tmp_path, policy=mixture(), sft_stage=False)
    expected = cpo.CPOTrainer(
        model=mixture(),
        args=cpo.CPOConfig(**tiny.arguments(tmp_path, cpo_alpha=0.0, **settings)),
        train_dataset=tiny.dataset(),
        processing_class=tiny.tokenizer(),
    )
    assert_equal(made, expected)
    made = tiny.trainer(objective, tmp_path, policy=mixture(), sft_stage=False)
    made.train()
    row = made.state.log_history[0]
    assert row["loss/router"] > 0.05
    total = row["loss/sft"] + row["loss/preference"] + row["loss/router"]
    assert total == pytest.approx(row["loss"], rel=1e-5)


def at(made, progress):
    """The trainer as if that share of its training were done."""
    made.state.max_steps, made.state.global_step = 100, round(100 * progress)
    return made


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
@pytest.mark.parametrize(
    ("progress", "same"),
    [(0.0, objectives.get("sft")), (1.0, objectives.get("simpo", beta=0.5, gamma=2.0))],
)
def test_temporally_aware_starts_as_sft_and_ends_as_simpo(progress, same, aggregation, tmp_path):
    timed = objectives.get("ta-mpo", beta=0.5, gamma=2.0)
    settings = {"aggregation": aggregation, "sft_stage": False}
    made = at(tiny.trainer(timed, tmp_path, **settings), progress)
    assert_equal(made, tiny.trainer(same, tmp_path, **settings))
