"""Sequences that share rows give the numbers that they give each in a row of its own, padded.

A model that does not keep them apart is refused: by its kind where that is known, else because
the first batch's numbers differ.
"""

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets
import torch
import transformers
import trl

from mirrorpo.language import DPOTrainer, PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import chat, stand_ins
from mirrorpo.language.models.packing import Packing

from . import tiny

UNEQUAL = [  # 2 to 25 tokens long, so that several sequences of a batch of four share a row
    ("1 2 3", "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22", "8"),
    ("5", "17", "20 21 22 1"),
    ("3 4", "10 11", "12 13 14 15 16"),
    ("2 7 9 11 13 15 17", "3", "6 14 2 1 9 9 9 9"),
]
SHARED = {
    "vocab_size": tiny.VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": tiny.VOCABULARY - 1,
}


def made_of(config, **settings):
    """A model with weights so large that what a token sees decides its log-prob."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, **settings)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.3)
    return model


MODELS = {
    "llama": transformers.LlamaConfig(**SHARED),
    # Two kinds of layers, one with a window of four tokens.
    "gemma3": transformers.Gemma3TextConfig(
        **SHARED,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=4,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "gpt2": transformers.GPT2Config(  # with learned positions
        vocab_size=tiny.VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=64,
        bos_token_id=None,
        eos_token_id=None,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    ),
}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", MODELS)
def test_losses_and_gradients_are_those_of_padded_rows(name, attention, tmp_path):
    found = []
    for padding_free in (False, True):
        made = tiny.trainer(
            "dpo",
            tmp_path,
            policy=made_of(MODELS[name], attn_implementation=attention),
            ref_model=tiny.model(1),
            pairs=UNEQUAL,
            sft_stage=False,
            padding_free=padding_free,
        )
        batch = tiny.collated(made)
        log_probs = torch.stack(made._log_probs(made.model, batch)).detach()
        found.append((log_probs, *tiny.loss_and_gradients(made, batch)))
    padded, packed = found
    assert padded[0].std() > 1
    torch.testing.assert_close(packed[0], padded[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(packed[1], padded[1], rtol=1e-5, atol=1e-5)
    largest = max(gradient.abs().max() for gradient in padded[2].values()).item()
    for weight, gradient in padded[2].items():
        torch.testing.assert_close(packed[2][weight], gradient, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("objective", ["dpo", "ta-mpo", "sft", "wpo"])
def test_a_whole_training_logs_the_same_numbers(objective, tmp_path):
    logs = []
    for padding_free in (False, True):
        made = tiny.trainer(
            objective,
            tmp_path,
            pairs=UNEQUAL * 2,
            per_device_train_batch_size=4,
            num_train_epochs=2,
            evaluated=UNEQUAL,
            eval_strategy="epoch",
            padding_free=padding_free,
        )
        made.train()
        logs.append(made.state.log_history)
    for padded, packed in zip(*logs, strict=True):
        assert packed.keys() == padded.keys()
        for name in padded:
            if not name.endswith(("runtime", "_per_second")):
                assert packed[name] == pytest.approx(padded[name], rel=2e-4, abs=2e-5), name


PHI3 = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.mark.parametrize("template", [chat.CHATML, PHI3])
def test_conversations_in_a_chat_template_give_the_same_log_probs(template, tmp_path):
    asking = stand_ins.tokenizer()
    asking.chat_template = template
    found = []
    for padding_free in (False, True):
        made = PreferenceTrainer(
            stand_ins.model(),
            "simpo",
            PreferenceConfig(**tiny.arguments(tmp_path, padding_free=padding_free)),
            train_dataset=datasets.Dataset.from_list(stand_ins.pairs("train").to_list()[:8]),
            processing_class=asking,
        )
        with torch.no_grad():
            found.append(torch.stack(made._log_probs(made.model, tiny.collated(made))))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-4)


def test_a_mixture_of_experts_keeps_its_router_loss(tmp_path):
    def trainer(padding_free):
        config = transformers.MixtralConfig(
            **SHARED,
            num_key_value_heads=2,
            num_local_experts=4,
            num_experts_per_tok=2,
            output_router_logits=True,
            router_aux_loss_coef=0.1,
        )
        policy, settings = made_of(config), {"sft_stage": False, "pairs": UNEQUAL}
        return tiny.trainer("simpo", tmp_path, policy=policy, padding_free=padding_free, **settings)

    losses = []
    for padding_free in (False, True):
        made = trainer(padding_free)
        losses.append(made.get_batch_loss_metrics(made.model, tiny.collated(made))[1])
    assert losses[0]["loss/router"] > 0.05
    assert losses[1] == pytest.approx(losses[0], rel=1e-5, abs=1e-6)


def test_a_dpo_script_may_ask_for_it(tmp_path):
    made = DPOTrainer(
        tiny.model(),
        args=trl.DPOConfig(**tiny.arguments(tmp_path, padding_free=True)),
        train_dataset=tiny.dataset(),
        processing_class=tiny.tokenizer(),
    )
    shapes = []
    made.model.register_forward_pre_hook(
        lambda _, given, about: shapes.append((given[0].shape, sorted(about))), with_kwargs=True
    )
    made.train()
    # After the comparison's two; two pairs are four sequences.
    assert min(shape[0] for shape, _ in shapes[2:]) < 4
    assert shapes[-1][1] == ["position_ids", "use_cache"]


REFUSED = {
    "linear attention": (
        transformers.Qwen3NextConfig(
            **SHARED,
            num_key_value_heads=2,
            layer_types=["linear_attention", "full_attention"],
            num_experts=0,
            linear_num_key_heads=2,
            linear_num_value_heads=2,
        ),
        "layers of the kind linear_attention",
    ),
    "no positions": (
        transformers.BloomConfig(vocab_size=tiny.VOCABULARY, hidden_size=16, n_layer=1, n_head=2),
        "takes no positions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_kind_of_model_that_cannot_keep_them_apart_is_refused(name, tmp_path):
    config, said = REFUSED[name]
    with pytest.raises(ValueError, match=f"padding_free=True does not .*{said}.*group_by_length"):
        tiny.trainer("cpo", tmp_path, policy=made_of(config), padding_free=True)


def test_adapters_that_learn_a_prompt_are_refused(tmp_path):
    prompts = tiny.peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    with pytest.raises(ValueError, match=r"a prompt of their own before each row"):
        tiny.trainer("cpo", tmp_path, peft_config=prompts, padding_free=True)


class WithoutPositions(transformers.LlamaForCausalLM):
    """A model that takes positions and does not use them."""

    def forward(self, *given, position_ids=None, **about):
        return super().forward(*given, **about)


@pytest.mark.parametrize("part", ["policy", "ref_model"])
def test_a_model_whose_numbers_change_is_refused_at_its_first_batch(part, tmp_path):
    model = WithoutPositions(MODELS["llama"])
    model.load_state_dict(made_of(MODELS["llama"]).state_dict())
    settings = {"pairs": UNEQUAL, "sft_stage": False, "padding_free": True, part: model}
    made = tiny.trainer("dpo", tmp_path, **settings)
    with pytest.raises(ValueError, match="changes this model's log-probs by up to") as caught:
        made.train()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("in_one_row", [False, True])
def test_every_token_has_one_place_and_its_own_position(in_one_row):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 20, (11,), generator=generator)
    mask = (torch.arange(20) < lengths[:, None]).long()
    packing = Packing.of(mask, in_one_row)
    places = packing.place[mask == 1]
    assert len(places.unique()) == len(places) == lengths.sum()
    tokens = torch.arange(mask.numel()).reshape(mask.shape)
    assert torch.equal(packing.source.reshape(-1)[places], tokens[mask == 1])
    assert torch.equal(packing.positions.reshape(-1)[places], (tokens % 20)[mask == 1])
    rows, width = packing.source.shape
    assert (rows, width) == (1, lengths.sum()) if in_one_row else width == lengths.max()
    assert rows < len(lengths)


@pytest.mark.parametrize("strategy", ["group_by_length", "batch_rebalance"])
def test_batches_of_like_lengths_are_an_answer_for_any_model(strategy, tmp_path):
    short, long = ("1", "2", "3"), ("1", "2 3 4 5 6 7 8 9", "4")
    made = tiny.trainer(
        "cpo",
        tmp_path,
        pairs=[short, long] * 16,
        train_sampling_strategy=strategy,
        evaluated=[long, short],
        eval_strategy="epoch",
    )
    widths = []
    made.model.register_forward_pre_hook(lambda _, given: widths.append(given[0].shape[1]))
    made.train()
    assert tiny.logged(made, "eval_loss")
    if strategy == "group_by_length":  # eight batches of long pairs, and at most one mixed one
        assert widths[:16].count(10) <= 10  # in each of the four blocks that are sorted
