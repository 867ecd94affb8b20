"""Logits are computed for completions' tokens alone, and equal those of a whole forward pass."""

import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch
import transformers

from mirrorpo.language.models.completion_logits import completion_logits

from . import tiny

SIZES = {
    "vocab_size": tiny.VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
}


def gemma2():
    """A model that bends its logits after the last layer."""
    torch.manual_seed(0)
    config = transformers.Gemma2Config(
        **SIZES, final_logit_softcapping=2.0, query_pre_attn_scalar=8
    )
    return transformers.Gemma2ForCausalLM(config).eval()


class Undivided(torch.nn.Module):
    """A model whose forward pass takes the weights of its last layer and does not call it."""

    def __init__(self):
        super().__init__()
        self.inner = tiny.model()

    def get_output_embeddings(self):
        return self.inner.get_output_embeddings()

    def forward(self, ids, attention_mask, use_cache=False):
        found = self.inner.model(ids, attention_mask=attention_mask, use_cache=use_cache)
        weight = self.get_output_embeddings().weight
        logits = torch.nn.functional.linear(found.last_hidden_state, weight)
        return transformers.modeling_outputs.CausalLMOutput(logits=logits)


def batch():
    ids = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 8, 9, 23, 0, 0], [3, 3, 0, 0, 0, 0]])
    mask = (ids != 0).long()
    labels = ids.masked_fill(mask == 0, -100)
    labels[0, :3], labels[1, :1], labels[2, :2] = -100, -100, -100  # the last has no completion
    return ids, mask, labels


@pytest.mark.parametrize("make", [tiny.model, gemma2, Undivided])
def test_log_probs_and_gradients_are_those_of_all_logits(make):
    model, (ids, mask, labels) = make(), batch()
    found = completion_logits(model, ids, mask, labels)
    assert found.logits.shape == (6, tiny.VOCABULARY)
    log_probs = found.log_probs()
    log_probs.square().sum().backward()
    ours = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()

    whole = model(ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
    kept = labels[:, 1:] != -100
    said = whole.gather(-1, ids[:, 1:, None])[..., 0]
    expected = (said * kept).sum(-1)
    torch.testing.assert_close(log_probs, expected)
    assert log_probs[2] == 0.0
    agreement = (whole.exp().square().sum(-1).log() * kept).sum(-1)
    torch.testing.assert_close(found.log_agreement(), agreement)
    expected.square().sum().backward()
    for mine, weight in zip(ours, model.parameters(), strict=True):
        torch.testing.assert_close(mine, weight.grad, rtol=1e-4, atol=1e-5)


def test_the_last_layer_sees_completions_alone_and_then_everything_again():
    model, (ids, mask, labels) = tiny.model(), batch()
    seen = []
    model.lm_head.register_forward_hook(lambda _, given, out: seen.append(given[0].shape[:-1]))
    completion_logits(model, ids, mask, labels)
    model(ids, attention_mask=mask)
    assert seen == [(1, 6), (3, 6)]


def test_half_precision_is_summed_in_single():
    model = tiny.model(max_position_embeddings=4096).to(torch.bfloat16)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    ids = torch.ones(1, 2001, dtype=torch.long)
    labels = ids.clone()
    labels[0, 0] = -100
    found = completion_logits(model, ids, torch.ones_like(ids), labels).log_probs()
    assert found.item() == pytest.approx(-2000 * math.log(tiny.VOCABULARY), rel=1e-5)


@pytest.mark.parametrize("every", [1, 2])
def test_sft_asks_for_rejected_completions_only_where_it_logs(every, tmp_path):
    made = tiny.trainer("sft", tmp_path, logging_steps=every, num_train_epochs=1)
    passes = []
    made.model.register_forward_hook(lambda *_: passes.append(made.state.global_step))
    made.train()
    steps = len(tiny.PAIRS) // 2
    assert len(passes) == steps + steps // every
    for name in ("loss", "logps/chosen", "logps/rejected", "rewards/margins", "accuracy"):
        assert len(tiny.logged(made, name)) == steps // every


def test_what_sft_logs_less_of_rejected_completions_changes_no_weight(tmp_path):
    runs = [tiny.trainer("sft", tmp_path, logging_steps=every) for every in (1, 4)]
    for run in runs:
        run.train()
    first, second = (tiny.weights(run) for run in runs)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert tiny.logged(runs[0], "logps/rejected")[3] == tiny.logged(runs[1], "logps/rejected")[0]
