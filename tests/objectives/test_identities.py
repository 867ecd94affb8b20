"""Named losses are members of the mirror family: the paper's identities, exactly."""

import dataclasses

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import (
    Hinge,
    Identity,
    Log,
    Logit,
    LogSigmoid,
    Power,
    Probability,
    Square,
    SquareOrLine,
    Zero,
    get,
)


def same(first, second, pairs, progress=0.0):
    np.testing.assert_allclose(first(pairs, progress), second(pairs, progress), rtol=1e-12)


def test_two_step_with_phi_exp_is_dpo(pairs):
    generic = get("2s-mpo", inverse_potential=Log(), link=LogSigmoid(), beta=0.3)
    same(generic, get("dpo", beta=0.3), pairs)


def test_one_step_with_psi_log_and_logit_potential_is_orpo(pairs):
    generic = get(
        "1s-mpo",
        psi=Log(),
        inverse_potential=Logit(),
        link=LogSigmoid(),
        beta=1.0,
        weight=0.7,
        aggregation="mean",
    )
    same(generic, get("orpo", weight=0.7), pairs)


@pytest.mark.parametrize("sft_weight", [1.0, 0.25])
def test_one_step_with_logs_is_cpo(pairs, sft_weight):
    generic = get(
        "1s-mpo",
        psi=Log(),
        inverse_potential=Log(),
        link=LogSigmoid(),
        beta=0.3,
        weight=1 / sft_weight,
    )
    cpo = get("cpo", beta=0.3, sft_weight=sft_weight)
    np.testing.assert_allclose(sft_weight * generic(pairs), cpo(pairs), rtol=1e-12)


@pytest.mark.parametrize("delta", [1e3, 1e6])
def test_lpo_is_slic_with_a_large_delta_up_to_the_constant(pairs, delta):
    slic = get("slic", weight=0.5, delta=delta)
    np.testing.assert_allclose(
        slic(pairs) - delta, get("lpo", weight=1.5)(pairs), rtol=0, atol=delta * 1e-14
    )


def test_one_step_with_identity_link_is_lpo(pairs):
    generic = get("1s-mpo", inverse_potential=Log(), link=Identity(), weight=1.0)
    same(generic, get("lpo", weight=2.0), pairs)


def test_one_step_with_hinge_is_slic_and_rrhf_is_slic_without_delta(pairs):
    generic = get("1s-mpo", inverse_potential=Log(), link=Hinge(margin=2.0), weight=4.0)
    slic = get("slic", weight=0.25, delta=2.0)
    np.testing.assert_allclose(0.25 * generic(pairs), slic(pairs), rtol=1e-12)
    same(get("rrhf", weight=0.4), get("slic", weight=0.4, delta=0, aggregation="mean"), pairs)


def test_rdpo_equals_dpo_at_equal_length_and_not_otherwise(arrays):
    *log_probs, chosen_length, rejected_length = arrays
    equal = objectives.PairLogProbs(*log_probs, chosen_length, chosen_length)
    same(get("rdpo", beta=0.3, alpha=0.5), get("dpo", beta=0.3), equal)
    unequal = objectives.PairLogProbs(*log_probs, chosen_length, rejected_length)
    rdpo, dpo = get("rdpo", beta=0.3, alpha=0.5)(unequal), get("dpo", beta=0.3)(unequal)
    assert (np.sign(rdpo - dpo) == np.sign(rejected_length - chosen_length)).all()


def test_two_step_links_give_hinge_and_ipo(pairs):
    same(get("2s-mpo", link=Hinge(), beta=0.3), get("hinge", beta=0.3), pairs)
    ipo = get("2s-mpo", link=Square(target=0.5 / 0.3), beta=1.0, aggregation="mean")
    same(ipo, get("ipo", tau=0.3), pairs)


def test_one_step_without_psi_is_simpo_without_margin(pairs):
    generic = get(
        "1s-mpo", psi=Zero(), inverse_potential=Log(), beta=2.0, weight=1.0, aggregation="mean"
    )
    same(generic, get("simpo", beta=2.0, gamma=0), pairs)


@pytest.mark.parametrize("schedule", ["linear", "quadratic"])
def test_temporally_aware_starts_as_sft_and_ends_as_simpo(pairs, schedule):
    aware = get("ta-mpo", beta=0.3, gamma=0.7, schedule=schedule)
    same(aware, get("sft"), pairs, progress=0.0)
    same(aware, get("simpo", beta=0.3, gamma=0.7, aggregation="sum"), pairs, progress=1.0)


def test_temporally_aware_halfway_is_half_of_sft_plus_simpo(pairs):
    aware = get("ta-mpo", beta=0.3, gamma=0.7, schedule="linear")
    both = get("sft-simpo", beta=0.3, gamma=0.7)
    np.testing.assert_allclose(aware(pairs, 0.5), 0.5 * both(pairs), rtol=1e-12)


def test_a_schedule_may_be_any_scalar_function(pairs):
    aware = get("ta-mpo", schedule=objectives.Sigmoid(steepness=5.0, centre=0.5))
    half = get("ta-mpo", schedule="linear")
    same(aware, half, pairs, progress=0.5)


def test_alphapo_without_alpha_is_simpo(pairs):
    settings = {"beta": 2.0, "gamma": 0.7}
    same(get("alphapo", alpha=0, **settings), get("simpo", **settings), pairs)
    nearly = get("alphapo", alpha=1e-5, **settings)(pairs)
    np.testing.assert_allclose(nearly, get("simpo", **settings)(pairs), rtol=1e-3)


def test_alpha_divergence_runs_from_reverse_to_forward_kl(pairs):
    for alpha, end in ((1e-6, "reverse-kl"), (1 - 1e-6, "forward-kl")):
        between = get("fdpo", divergence="alpha", alpha=alpha)(pairs)
        np.testing.assert_allclose(between, get("fdpo", divergence=end)(pairs), rtol=1e-3)


def test_smoothing_of_zero_is_dpo(pairs):
    for name in ("cdpo", "robust-dpo"):
        same(get(name, beta=0.3, label_smoothing=0), get("dpo", beta=0.3), pairs)


def test_dpo_norm_is_dpo_on_mean_log_probs(pairs):
    same(get("dpo-norm", beta=0.3), get("dpo", beta=0.3, aggregation="mean"), pairs)


def test_aot_of_a_single_pair_is_dpo(arrays):
    single = objectives.PairLogProbs(*(array[:1] for array in arrays))
    for name in ("aot", "aot-unpaired"):
        same(get(name, beta=0.3), get("dpo", beta=0.3), single)


def test_l2_potential_is_a_power_and_twice_the_probability(pairs):
    probability = get("2s-mpo", inverse_potential=Probability(scale=2.0))
    power = get("2s-mpo", inverse_potential=Power(alpha=-1.0), beta=0.2)
    same(probability, power, pairs)


def test_mean_aggregation_divides_policy_and_reference_by_their_length(arrays, every_name):
    *log_probs, chosen_length, rejected_length = arrays
    if every_name in ("irpo", "wpo"):  # part of these is per step whatever the aggregation
        chosen_length = rejected_length = np.ones_like(chosen_length)
        arrays = (*log_probs, chosen_length, rejected_length)
    lengths = (chosen_length, rejected_length)
    divided = [value / lengths[i % 2] for i, value in enumerate(log_probs)]
    mean = get(every_name, aggregation="mean")(objectives.PairLogProbs(*arrays), 0.3)
    total = get(every_name, aggregation="sum")(objectives.PairLogProbs(*divided, *lengths), 0.3)
    np.testing.assert_allclose(mean, total, rtol=1e-12)


def test_lengths_default_to_one(arrays, every_name):
    *log_probs, chosen_length, _ = arrays
    ones = np.ones_like(chosen_length)
    objective = get(every_name, aggregation="mean")
    without = objective(objectives.PairLogProbs(*log_probs), 0.3)
    np.testing.assert_allclose(
        without, objective(objectives.PairLogProbs(*log_probs, ones, ones), 0.3), rtol=1e-12
    )


def test_bco_batch_shift_ignores_a_constant_in_all_rewards(pairs):
    shifted = dataclasses.replace(
        pairs,
        reference_chosen=pairs.reference_chosen + 2.0,
        reference_rejected=pairs.reference_rejected + 2.0,
    )
    bco = get("bco", shift="batch")
    np.testing.assert_allclose(bco(pairs), bco(shifted), rtol=1e-9)


def test_noisy_closed_form_is_flat_on_wrong_pairs_and_increases_on_right_ones():
    margins = np.linspace(-5, 5, 201)
    steps = np.diff(SquareOrLine()(margins))
    assert (steps[margins[1:] <= 0] == 0).all()
    assert (steps[margins[:-1] >= 0] > 0).all()
