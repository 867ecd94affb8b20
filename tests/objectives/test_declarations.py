"""What objectives declare to training, and what they make of what training gives them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import PairPlan, ReferenceUpdate, get
from mirrorpo.objectives.losses.adaptive import QUEUE

from .numpy_formulas import Case, alpha_dpo, beta_dpo, gated, logistic, targets
from .test_finiteness import EDGES, LIMIT

WITH_MEMORY = ["alpha-dpo", "beta-dpo", "gamma-dpo", "gamma-simpo", "gated", "gated-reference"]
AGREEMENT = np.asarray([-1.0, -30.0, -1e6])


def test_the_names_that_declare_something_are_these():
    def declared(says):
        return {name for name in objectives.available() if says(get(name))}

    assert declared(lambda o: o.memory_size) == set(WITH_MEMORY)
    assert declared(lambda o: o.uses_agreement) == {"wpo"}
    assert declared(lambda o: o.uses_ease) == {"mixdpo"}
    assert declared(lambda o: o.needs_ease) == {
        *("mixdpo", "dpo-filtered", "slic-filtered", "slic-robust")
    }
    assert declared(lambda o: o.reference_update) == {"tr-dpo"}


def test_declarations_hold_the_hyperparameters():
    assert get("tr-dpo", alpha=0.3, tau=7).reference_update == ReferenceUpdate(rate=0.3, every=7)
    assert get("slic-filtered", drop=0.3).pair_plan == PairPlan(dropped=0.3)
    assert get("mixdpo").pair_plan == PairPlan(easy_first=True)
    assert get("slic-robust").pair_plan == PairPlan(dropped=0.4)


def test_slic_robust_is_the_setting_of_filtered_slic_that_was_measured(pairs):
    alike = get("slic-filtered[drop=0.4,weight=1,delta=5]", aggregation="mean")
    np.testing.assert_array_equal(get("slic-robust")(pairs), alike(pairs))


@pytest.fixture
def others(arrays):
    """Another batch of as many pairs."""
    *log_probs, chosen_length, rejected_length = arrays
    return (*(0.6 * x[::-1] - 0.3 for x in log_probs), chosen_length, rejected_length)


def test_moving_averages_start_at_zero_and_take_a_tenth_of_each_batch(arrays, others):
    objective = get("beta-dpo", beta=0.4, alpha=0.3, kept=0.7)
    first, second = (objectives.PairLogProbs(*x) for x in (others, arrays))
    memory = objective.remember(first)
    rho = Case(others, mean=False).rho
    np.testing.assert_allclose(memory, [0.1 * rho.mean(), 0.1 * rho.std(ddof=1)])
    case = Case(arrays, mean=False)
    now = case.rho.mean(), case.rho.std(ddof=1)
    moments = [0.9 * before + 0.1 * x for before, x in zip(memory, now, strict=True)]
    np.testing.assert_allclose(objective.remember(second, memory), moments)
    expected = beta_dpo(case, 0.4, 0.3, 0.7, moments)
    np.testing.assert_allclose(objective(second, 0.0, memory), expected, rtol=1e-8, atol=1e-12)


def test_alpha_dpo_measures_a_pair_against_earlier_batches(arrays, others):
    objective = get("alpha-dpo", beta=2.0, gamma=0.7, alpha=0.3)
    memory = objective.remember(objectives.PairLogProbs(*others))
    case = Case(arrays, mean=True)
    now = case.rho.mean(), case.rho.std(ddof=1)
    moments = [0.9 * before + 0.1 * x for before, x in zip(memory, now, strict=True)]
    expected = alpha_dpo(case, 2.0, 0.7, 0.3, moments)
    found = objective(objectives.PairLogProbs(*arrays), 0.0, memory)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_gamma_po_sets_its_targets_among_earlier_margins_too(arrays, others):
    objective = get("gamma-simpo", beta=2.0, gamma=0.7, tau=0.8)
    memory = objective.remember(objectives.PairLogProbs(*others))
    assert memory.shape == (QUEUE,)
    before, case = Case(others, mean=True), Case(arrays, mean=True)
    together = targets(2 * np.concatenate([before.d, case.d]), 0.7, 0.8)
    expected = logistic(2 * case.d - together[len(before.d) :])
    found = objective(objectives.PairLogProbs(*arrays), 0.0, memory)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_gamma_po_s_targets_have_gamma_as_their_mean_and_less_for_ambiguous_pairs(pairs):
    objective = get("gamma-dpo", beta=0.4, gamma=2.0, tau=1.0)
    alike = get("dpo", beta=0.4)
    case = objective._aggregate(pairs)
    gamma = objective.terms(case, np.asarray(0.0)).gamma
    assert gamma.mean() == pytest.approx(0.0, abs=1e-12)
    order = np.argsort(-np.log(np.expm1(alike(pairs))))  # of DPO's margins, from below
    assert (np.diff(gamma[order]) > 0).all()


@pytest.mark.parametrize("name", ["gamma-dpo", "gamma-simpo"])
def test_the_queue_keeps_the_last_margins(name):
    objective = get(name, beta=1.0, aggregation="sum")
    memory = None
    for start in range(0, 300, 3):
        batch = -np.arange(start, start + 3, dtype=float)
        memory = objective.remember(objectives.PairLogProbs(batch, *[0 * batch] * 3), memory)
    np.testing.assert_array_equal(memory, -np.arange(300 - QUEUE, 300))


def test_the_gate_measures_pairs_by_the_moving_margins_of_earlier_batches(arrays, others):
    numbers = {"weight": 0.7, "delta": 1.5, "lower": 0.4, "softness": 0.3, "trust": 0.5}
    objective = get("gated", **numbers)
    memory = objective.remember(objectives.PairLogProbs(*others))
    before, case = Case(others, mean=True).d, Case(arrays, mean=True)
    np.testing.assert_allclose(memory, [before.mean(), np.abs(before).mean()])
    means = [
        0.99 * old + 0.01 * new
        for old, new in zip(memory, (case.d.mean(), np.abs(case.d).mean()), strict=True)
    ]
    expected = gated(case, *numbers.values(), means)
    found = objective(objectives.PairLogProbs(*arrays), 0.0, memory)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_gate_with_a_reference_weighs_its_first_batches_alike(arrays, others):
    objective = get("gated-reference", lower=0.4, softness=0.3, trust=0.5)
    batches, memory = [others, arrays, others], None
    for number, batch in enumerate(batches, 1):
        memory = objective.remember(objectives.PairLogProbs(*batch), memory)
        seen = np.concatenate([Case(one, mean=True).rho for one in batches[:number]])
        np.testing.assert_allclose(memory, [seen.mean(), np.abs(seen).mean(), number])

    late = np.array([0.2, 0.5, 400.0])
    case = Case(arrays, mean=True)
    for old, new, kept in zip(
        late, (case.rho.mean(), np.abs(case.rho).mean()), (0, 1), strict=False
    ):
        found = objective.remember(objectives.PairLogProbs(*arrays), late)[kept]
        assert found == pytest.approx(0.99 * old + 0.01 * new)


def test_the_gate_with_a_reference_ignores_what_the_reference_knew(arrays):
    objective = get("gated-reference", weight=0.0)
    pairs = objectives.PairLogProbs(*arrays)
    alike = objectives.PairLogProbs(*arrays[:2], *arrays[:2], *arrays[4:])
    sft = get("sft", aggregation="mean")(pairs)
    np.testing.assert_allclose(objective(alike), sft)
    assert not np.allclose(objective(pairs), sft)


def test_the_gate_is_open_while_the_policy_contradicts_most_labels():
    margin = np.array([-3.0, -2.0, 1.0])
    np.testing.assert_array_equal(get("gated").gate(margin, None), np.ones(3))


def test_the_gate_closes_for_what_looks_mislabelled_once_the_policy_agrees():
    margin = np.array([1.0, 1.2, 0.9, -1.0])
    gate = get("gated", lower=0.0, softness=0.1).gate(margin, None)
    assert (gate[:3] > 0.99).all()
    assert gate[3] < 0.01


def test_the_gate_has_no_unit():
    margin = np.array([1.0, 0.2, 0.9, -1.0])
    plain, scaled = (get("gated").gate(factor * margin, None) for factor in (1.0, 1e4))
    np.testing.assert_allclose(plain, scaled)


@pytest.mark.parametrize("name", ["gated", "gated-reference"])
@pytest.mark.parametrize(("progress", "sft", "hinge"), [(0, 1.8, 0.2), (0.5, 1, 1), (1, 0.2, 1.8)])
def test_a_tilt_moves_weight_from_sft_to_the_hinge_over_training(
    name, progress, sft, hinge, arrays
):
    pairs = objectives.PairLogProbs(*arrays)
    even_sft = get(name, weight=0.0)(pairs)
    even_hinge = get(name)(pairs) - even_sft
    assert (even_hinge > 0.01).any()
    found = get(name, tilt=0.8)(pairs, progress)
    np.testing.assert_allclose(found, sft * even_sft + hinge * even_hinge)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_tilt_the_gated_loss_is_bit_for_bit_what_it_was_before_it_could_tilt(
    arrays, dtype
):
    pairs = objectives.PairLogProbs(*(np.asarray(values, dtype) for values in arrays))
    objective = get("gated", weight=0.7, delta=1.5, trust=0.5)
    chosen, rejected = (
        sums / lengths
        for sums, lengths in (
            (pairs.chosen, pairs.chosen_length.astype(dtype)),
            (pairs.rejected, pairs.rejected_length.astype(dtype)),
        )
    )
    gate = objective.gate(chosen - rejected, None)
    before = -gate * (chosen - 0.7 * np.maximum(1.5 - (chosen - rejected), 0.0))
    for progress in (0.0, 0.3, 1.0):
        np.testing.assert_array_equal(objective(pairs, progress), before)


@pytest.mark.parametrize("name", WITH_MEMORY)
def test_memory_is_constant_for_the_gradient_in_every_library(name, arrays):
    torch = pytest.importorskip("torch")
    objective = get(name)
    values = [np.asarray(x, np.float32) for x in arrays]

    def total(chosen):
        pairs = objectives.PairLogProbs(chosen, *map(jnp.asarray, values[1:]))
        return jnp.nansum(objective.remember(pairs))

    np.testing.assert_array_equal(jax.grad(total)(jnp.asarray(values[0])), np.zeros(8))
    tensors = [torch.tensor(value, requires_grad=True) for value in values]
    found = objective.remember(objectives.PairLogProbs(*tensors))
    assert not found.requires_grad
    plain = objective.remember(objectives.PairLogProbs(*values))
    assert plain.shape == (objective.memory_size,)
    np.testing.assert_allclose(found.numpy(), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", WITH_MEMORY)
def test_losses_and_gradients_are_finite_with_any_memory(name):
    objective = get(name)
    chosen = jnp.asarray(np.minimum(np.asarray(EDGES, np.float32), LIMIT))

    @jax.jit
    def everything(chosen, memory):
        def losses(chosen):
            pairs = objectives.PairLogProbs(chosen, chosen[::-1], chosen[::-1], chosen)
            return objective(pairs, 0.3, memory)

        pairs = objectives.PairLogProbs(chosen, chosen[::-1], chosen[::-1], chosen)
        gradient = jax.grad(lambda c: losses(c).sum())(chosen)
        return losses(chosen), gradient, objective.remember(pairs, memory)

    memory = jnp.full(objective.memory_size, jnp.nan)
    for value in (jnp.nan, 0.0, 1.0, -1e6, 1e6):
        loss, gradient, after = everything(chosen, jnp.full_like(memory, value))
        assert np.isfinite(loss).all()
        assert np.isfinite(gradient).all()
        assert np.isfinite(after[-2:]).all()


def test_wpo_divides_by_the_agreement_per_step(arrays):
    *log_probs, n_w, n_l = arrays
    rng = np.random.default_rng(1)
    agreement = -rng.uniform(0.5, 3.0, size=(2, 8)) * np.stack([n_w, n_l])
    pairs = objectives.PairLogProbs(*arrays, *agreement)
    weight = np.exp((log_probs[0] - agreement[0]) / n_w + (log_probs[1] - agreement[1]) / n_l)
    assert (weight > 1).any()
    assert (weight < 1).any()
    for aggregation in ("sum", "mean"):
        dpo = get("dpo", beta=0.4, aggregation=aggregation)(pairs)
        for weights, wanted in (("free", weight), ("clipped", np.minimum(weight, 1))):
            found = get("wpo", beta=0.4, weights=weights, aggregation=aggregation)(pairs)
            np.testing.assert_allclose(found, wanted * dpo, rtol=1e-10)


@pytest.mark.parametrize("weights", ["free", "clipped"])
def test_wpo_is_finite_for_every_agreement(weights):
    for chosen in EDGES:
        row = np.full(3, min(np.float32(chosen), LIMIT), np.float32)
        pairs = objectives.PairLogProbs(row, row, row, row, None, None, AGREEMENT, AGREEMENT)
        assert np.isfinite(get("wpo", weights=weights)(pairs)).all()


def test_mixdpo_is_dpo_on_easy_pairs_and_sft_on_the_others(arrays):
    ease = (np.arange(8) + 0.5) / 8
    pairs = dataclasses.replace(objectives.PairLogProbs(*arrays), ease=ease)
    found = get("mixdpo", beta=0.4, easy=0.25, sft_weight=0.7)(pairs)
    np.testing.assert_allclose(found[:6], 0.7 * get("sft")(pairs)[:6], rtol=1e-12)
    np.testing.assert_allclose(found[6:], get("dpo", beta=0.4)(pairs)[6:], rtol=1e-12)


def test_ropo_s_pull_is_at_most_one_and_fades_on_pairs_ranked_very_wrongly():
    x = np.linspace(-20, 20, 4001)
    slope = np.gradient(objectives.NoiseTolerant(alpha=6.0)(x), x)
    assert slope.max() == pytest.approx(1.0, rel=1e-3)
    assert slope[0] < 0.5
    assert -6 < x[slope.argmax()] < 0


def test_specialists_without_their_speciality_are_the_plain_loss(pairs):
    for name, off, plain in (
        ("focalpo", {"gamma": 0}, "dpo"),
        ("dpop", {"penalty": 0}, "dpo"),
        ("irpo", {"alpha": 0}, "dpo"),
        ("rpo", {"eta": 0}, "dpo"),
        ("wdpo", {"flip_share": 0, "winsor_share": 0.02, "tail": 0.999, "warm_up": 0}, "dpo"),
    ):
        found = get(name, beta=0.3, **off)(pairs, 0.5)
        np.testing.assert_allclose(found, get(plain, beta=0.3)(pairs), rtol=0.02, err_msg=name)
    for name in ("cpo", "simpo", "slic"):
        smoothed = get(f"{name}-smoothed", label_smoothing=0)
        np.testing.assert_allclose(smoothed(pairs), get(name)(pairs), rtol=1e-12)


def test_dr_dpo_of_a_batch_of_one_is_dpo(arrays):
    single = objectives.PairLogProbs(*(array[:1] for array in arrays))
    found = get("dr-dpo", beta=0.3, beta_prime=0.2)(single)
    np.testing.assert_allclose(found, get("dpo", beta=0.3)(single), rtol=1e-12)


def test_wdpo_turns_around_the_surest_wrong_label_first():
    wrong = np.asarray([1.0, 1.0, 1.0, -30.0])
    zeros = np.zeros(4)
    pairs = objectives.PairLogProbs(wrong, zeros, zeros, zeros)
    loss = get("wdpo", beta=1.0, flip_share=0.25, winsor_share=0.02, warm_up=0)(pairs, 0.5)
    assert loss[3] < 1.0  # whose loss as labelled is 30
    np.testing.assert_allclose(loss[:3], np.log1p(np.exp(-1.0)), rtol=1e-6)
