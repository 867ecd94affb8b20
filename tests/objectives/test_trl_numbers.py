"""Every loss that TRL has gives TRL's number, computed by TRL's own trainers on tiny models.

The trainers are real; the log-probs that our objectives get are computed here from the models'
logits, not taken from TRL.
"""

from types import SimpleNamespace

import pytest

from mirrorpo import objectives

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

VOCABULARY = 24
PAIRS = [  # prompt, chosen, rejected: as words of the tiny tokenizer
    ("1 2 3", "4 5 6 7", "8 9"),
    ("3 4", "10 11", "12 13 14 15 16"),
    ("5", "17 18 19", "20 21 22"),
    ("2 7 9 11", "3", "6 14 2 1"),
]


def tiny_model(seed, scale):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=23,
    )
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.normal_(0, scale)
    return model.eval()


def tiny_tokenizer():
    words = {"<pad>": 0, **{str(i): i for i in range(1, VOCABULARY - 1)}, "<eos>": VOCABULARY - 1}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>"
    )


def settings(folder):
    return {
        "output_dir": str(folder),
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "per_device_train_batch_size": len(PAIRS),
        "disable_tqdm": True,
    }


def summed_log_probs(model, ids, mask):
    """Sum of each row's log-probs of the tokens that ``mask`` marks, and how many they are."""
    attention = (ids != 0).long()
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=attention).logits.double()
    log_probs = torch.log_softmax(logits[:, :-1], dim=-1)
    picked = log_probs.gather(-1, ids[:, 1:, None])[..., 0]
    return (picked * mask[:, 1:]).sum(-1).float(), mask[:, 1:].sum(-1)


@pytest.fixture(scope="module")
def dpo(tmp_path_factory):
    rows = [
        {"prompt": prompt, "chosen": f" {chosen}", "rejected": f" {rejected}"}
        for prompt, chosen, rejected in PAIRS
    ]
    policy, reference = tiny_model(0, 0.6), tiny_model(1, 0.6)
    trainer = trl.DPOTrainer(
        model=policy,
        ref_model=reference,
        args=trl.DPOConfig(**settings(tmp_path_factory.mktemp("dpo"))),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tiny_tokenizer(),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    ids, mask = batch["input_ids"], batch["completion_mask"]
    logps, lengths = summed_log_probs(policy, ids, mask)
    ref_logps, _ = summed_log_probs(reference, ids, mask)
    chosen, rejected = logps.chunk(2)
    ref_chosen, ref_rejected = ref_logps.chunk(2)
    pairs = objectives.PairLogProbs(chosen, rejected, ref_chosen, ref_rejected, *lengths.chunk(2))
    return SimpleNamespace(trainer=trainer, batch=batch, pairs=pairs)


def trl_dpo_loss(dpo, loss_type, beta, **attributes):
    trainer = dpo.trainer
    changes = {"loss_types": [loss_type], "beta": beta, **attributes}
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        for name, value in changes.items():
            patch.setattr(trainer, name, value)
        return trainer._compute_loss(trainer.model, dpo.batch, False).item()


def test_the_batch_has_pairs_of_unequal_length_and_log_ratios_of_both_signs(dpo):
    pairs = dpo.pairs
    assert len(set((pairs.chosen_length - pairs.rejected_length).tolist())) > 2
    margins = (pairs.chosen - pairs.reference_chosen) - (pairs.rejected - pairs.reference_rejected)
    assert (margins > 0.5).any()
    assert (margins < -0.5).any()


SMOOTHING = {"label_smoothing": 0.2}
DPO_LOSSES = [
    ("dpo", "sigmoid", {"beta": 0.3}, {}),
    ("dpo-norm", "sigmoid_norm", {"beta": 2.0}, {}),
    ("hinge", "hinge", {"beta": 0.3}, {}),
    ("ipo", "ipo", {"tau": 0.4}, {}),
    ("exo", "exo_pair", {"beta": 0.3, **SMOOTHING}, SMOOTHING),
    ("nca", "nca_pair", {"beta": 0.3}, {}),
    ("robust-dpo", "robust", {"beta": 0.3, **SMOOTHING}, SMOOTHING),
    ("bco", "bco_pair", {"beta": 0.3}, {}),
    ("sppo", "sppo_hard", {"beta": 0.3}, {}),
    ("aot", "aot", {"beta": 0.3}, {}),
    ("aot-unpaired", "aot_unpaired", {"beta": 0.3}, {}),
    ("apo-zero", "apo_zero", {"beta": 0.3}, {}),
    ("apo-down", "apo_down", {"beta": 0.3}, {}),
    ("discopop", "discopop", {"beta": 0.3}, {}),
    ("fdpo", "sigmoid", {"beta": 0.3, "divergence": "reverse-kl"}, {}),
    (
        "fdpo",
        "sigmoid",
        {"beta": 0.3, "divergence": "forward-kl"},
        {"f_divergence_type": "forward_kl"},
    ),
    (
        "fdpo",
        "sigmoid",
        {"beta": 0.3, "divergence": "jensen-shannon"},
        {"f_divergence_type": "js_divergence"},
    ),
    (
        "fdpo",
        "sigmoid",
        {"beta": 0.3, "divergence": "alpha", "alpha": 0.3},
        {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7},
    ),
]


@pytest.mark.parametrize(
    ("name", "loss_type", "ours", "theirs"),
    DPO_LOSSES,
    ids=[f"{name}-{ours.get('divergence', '')}".strip("-") for name, _, ours, _ in DPO_LOSSES],
)
def test_reference_losses_equal_the_dpo_trainers(dpo, name, loss_type, ours, theirs):
    beta = ours["tau"] if name == "ipo" else ours["beta"]
    expected = trl_dpo_loss(dpo, loss_type, beta, **theirs)
    loss = objectives.get(name, **ours)(dpo.pairs)
    assert loss.shape == (len(PAIRS),)
    assert loss.mean().item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_sft_weighted_by_length_equals_the_dpo_trainers_sft(dpo):
    # TRL averages over the batch's tokens, so its number is ours with one sum and one length.
    loss = objectives.get("sft")(dpo.pairs).sum() / dpo.pairs.chosen_length.sum()
    assert loss.item() == pytest.approx(trl_dpo_loss(dpo, "sft", 0.1), rel=1e-5)


@pytest.mark.parametrize(("name", "values", "weight"), [("irpo", {"alpha": 0.7}, 0.7)])
def test_irpo_s_sft_term_weighted_by_length_equals_the_dpo_trainers(dpo, name, values, weight):
    lengths = dpo.pairs.chosen_length
    both = objectives.get(name, beta=0.3, **values)(dpo.pairs)
    preference = objectives.get("dpo", beta=0.3)(dpo.pairs)
    # TRL averages the SFT term over the batch's tokens.
    ours = preference.mean() + ((both - preference) * lengths).sum() / lengths.sum()
    theirs = trl_dpo_loss(dpo, "sigmoid", 0.3) + weight * trl_dpo_loss(dpo, "sft", 0.3)
    assert ours.item() == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("name", ["tr-dpo", "dpo-filtered", "mixdpo", "dr-dpo", "beta-dpo"])
def test_dpo_with_its_speciality_off_equals_the_dpo_trainers(dpo, name):
    off = {"dr-dpo": {"beta_prime": 1e4}, "beta-dpo": {"alpha": 0, "kept": 1 - 1e-6}}
    loss = objectives.get(name, beta=0.3, **off.get(name, {}))(dpo.pairs)
    expected = trl_dpo_loss(dpo, "sigmoid", 0.3)
    assert loss.mean().item() == pytest.approx(expected, rel=1e-3)


def test_discopop_equals_the_dpo_trainers_at_another_tau(dpo, monkeypatch):
    monkeypatch.setattr(dpo.trainer.args, "discopop_tau", 0.7)
    loss = objectives.get("discopop", beta=0.5, tau=0.7)(dpo.pairs)
    assert loss.mean().item() == pytest.approx(trl_dpo_loss(dpo, "discopop", 0.5), rel=1e-5)


CPU = SimpleNamespace(device=torch.device("cpu"))


def cpo_loss(chosen, rejected, **attributes):
    from trl.experimental.cpo import CPOTrainer

    trainer = CPOTrainer.__new__(CPOTrainer)
    defaults = {"loss_type": "sigmoid", "alpha": 0.0, "label_smoothing": 0.0, "accelerator": CPU}
    trainer.__dict__.update(defaults, **attributes)
    return trainer.cpo_loss(chosen, rejected)[0]


def logps(pairs, mean):
    if mean:
        return pairs.chosen / pairs.chosen_length, pairs.rejected / pairs.rejected_length
    return pairs.chosen, pairs.rejected


def preference_part(name, pairs, **hyperparameters):
    objective = objectives.get(name, **hyperparameters)
    sft = objectives.get("sft", aggregation=objective.aggregation)
    return objective(pairs) - sft(pairs)


def test_cpo_preference_part_equals_the_cpo_trainers(dpo):
    ours = preference_part("cpo", dpo.pairs, beta=0.3, sft_weight=1.0)
    theirs = cpo_loss(*logps(dpo.pairs, mean=False), beta=0.3)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_smoothed_cpo_and_simpo_equal_the_cpo_trainers(dpo, smoothing):
    smoothed = {"label_smoothing": smoothing}
    ours = preference_part("cpo-smoothed", dpo.pairs, beta=0.3, sft_weight=1.0, **smoothed)
    theirs = cpo_loss(*logps(dpo.pairs, mean=False), beta=0.3, **smoothed)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    ours = objectives.get("simpo-smoothed", beta=2.0, gamma=0.7, **smoothed)(dpo.pairs)
    settings = {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.7, **smoothed}
    theirs = cpo_loss(*logps(dpo.pairs, mean=True), **settings)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("beta", "gamma"), [(2.0, 1.0), (1.0, 10.0), (0.05, 0.0)])
def test_simpo_equals_the_cpo_trainers_simpo(dpo, beta, gamma):
    ours = objectives.get("simpo", beta=beta, gamma=gamma)(dpo.pairs)
    theirs = cpo_loss(*logps(dpo.pairs, mean=True), loss_type="simpo", beta=beta, simpo_gamma=gamma)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.25, -0.25, 1.0])
def test_alphapo_equals_the_cpo_trainers_alphapo(dpo, alpha):
    ours = objectives.get("alphapo", beta=2.0, gamma=0.5, alpha=alpha)(dpo.pairs)
    theirs = cpo_loss(
        *logps(dpo.pairs, mean=True), loss_type="simpo", beta=2.0, simpo_gamma=0.5, alpha=alpha
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_conservative_dpo_equals_the_cpo_trainers_smoothing_of_the_log_ratios(dpo):
    pairs = dpo.pairs
    ours = objectives.get("cdpo", beta=0.3, label_smoothing=0.2)(pairs)
    theirs = cpo_loss(
        pairs.chosen - pairs.reference_chosen,
        pairs.rejected - pairs.reference_rejected,
        beta=0.3,
        label_smoothing=0.2,
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_slic_preference_part_equals_the_cpo_trainers_hinge(dpo):
    ours = preference_part("slic", dpo.pairs, weight=1.0, delta=1.0)
    theirs = cpo_loss(*logps(dpo.pairs, mean=False), loss_type="hinge", beta=1.0)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_orpo_preference_part_equals_the_orpo_trainers(dpo):
    from trl.experimental.orpo import ORPOTrainer

    trainer = ORPOTrainer.__new__(ORPOTrainer)
    trainer.__dict__.update(beta=0.3, accelerator=CPU)
    theirs = -trainer.odds_ratio_loss(*logps(dpo.pairs, mean=True))[0]
    ours = preference_part("orpo", dpo.pairs, weight=0.3)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_kto_equals_the_kto_trainers_where_its_reference_point_is_the_batch_mean(tmp_path):
    """With models that ignore the context, KTO's mismatched sequences are the batch's own."""
    policy, reference = tiny_model(0, 0.6), tiny_model(1, 0.6)
    for model in (policy, reference):
        with torch.no_grad():
            model.model.embed_tokens.weight.fill_(1.0)
    with torch.no_grad():
        policy.lm_head.weight.mul_(0.2)  # flatter than the reference: a mean log-ratio above 0
    rows = [{"prompt": p, "completion": f" {c}", "label": True} for p, c, _ in PAIRS]
    rows += [{"prompt": p, "completion": f" {r}", "label": False} for p, _, r in PAIRS]
    arguments = {**settings(tmp_path), "per_device_train_batch_size": len(rows), "beta": 0.3}
    trainer = trl.KTOTrainer(
        model=policy,
        ref_model=reference,
        args=trl.KTOConfig(**arguments, desirable_weight=1.5, undesirable_weight=0.7),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tiny_tokenizer(),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        expected = trainer._compute_loss(trainer.model, batch, False).item()
    mask = batch["completion_mask"]
    log_probs, _ = summed_log_probs(policy, batch["input_ids"], mask)
    reference_log_probs, _ = summed_log_probs(reference, batch["input_ids"], mask)
    good = torch.as_tensor(batch["label"]).bool()
    pairs = objectives.PairLogProbs(
        log_probs[good], log_probs[~good], reference_log_probs[good], reference_log_probs[~good]
    )
    assert (log_probs - reference_log_probs).mean() > 0.1
    loss = objectives.get("kto", beta=0.3, chosen_weight=1.5, rejected_weight=0.7)(pairs)
    assert loss.mean().item() == pytest.approx(expected, rel=1e-5)
