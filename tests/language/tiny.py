"""A tiny language model, its tokenizer and a few preference pairs, made without any download."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("peft")
pytest.importorskip("datasets")
pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

import datasets
import peft
import tokenizers
import torch
import transformers

from mirrorpo.language import PreferenceConfig, PreferenceTrainer

VOCABULARY = 24
PAIRS = [  # prompt, chosen, rejected: as words of the tiny tokenizer
    ("1 2 3", "4 5 6 7", "8 9"),
    ("3 4", "10 11", "12 13 14 15 16"),
    ("5", "17 18 19", "20 21 22"),
    ("2 7 9 11", "3", "6 14 2 1"),
    ("6 6", "1 2", "2 1"),
    ("8", "9 10 11 12", "4"),
    ("13 14", "15", "16 17"),
    ("20 1", "21 22 1", "3 3"),
]
ALIKE = [  # one-token prompts, chosen completions of one length
    ("1", "4 5 6", "8 9"),
    ("3", "10 11 2", "12 13 14 15 16"),
    ("5", "17 18 19", "20"),
    ("2", "3 1 7", "6 14 2 1"),
]


def model(seed=0, **changes):
    """A two-layer Llama of random weights, spread enough that log-probs differ."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        **{
            "vocab_size": VOCABULARY,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "pad_token_id": 0,
            "bos_token_id": None,
            "eos_token_id": VOCABULARY - 1,
            **changes,
        }
    )
    made = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        made.lm_head.weight.normal_(0, 0.6)
    return made


def tokenizer():
    words = {"<pad>": 0, **{str(i): i for i in range(1, VOCABULARY - 1)}, "<eos>": VOCABULARY - 1}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>"
    )


def dataset(pairs=PAIRS):
    return datasets.Dataset.from_list(
        [{"prompt": p, "chosen": f" {c}", "rejected": f" {r}"} for p, c, r in pairs]
    )


def arguments(folder, **changes):
    """What TRL's configurations and ours have in common."""
    return {
        "output_dir": str(folder),
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
        "log_level": "error",
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 2,
        "logging_steps": 1,
        "save_strategy": "no",
        "learning_rate": 1e-2,
        "num_train_epochs": 1,
        "seed": 3,
        **changes,
    }


def trainer(objective, folder, *, policy=None, pairs=PAIRS, evaluated=None, **changes):
    """A trainer on the tiny model; `changes` are of its settings, except the parts named here."""
    parts = {
        name: changes.pop(name)
        for name in ("ref_model", "peft_config", "callbacks")
        if name in changes
    }
    return PreferenceTrainer(
        policy or model(),
        objective,
        PreferenceConfig(**arguments(folder, **changes)),
        train_dataset=dataset(pairs),
        eval_dataset=None if evaluated is None else dataset(evaluated),
        processing_class=tokenizer(),
        **parts,
    )


def collated(made, rows=None):
    """All rows of a trainer's training data, or some, as one batch."""
    rows = range(len(made.train_dataset)) if rows is None else rows
    return made.data_collator([made.train_dataset[row] for row in rows])


def loss_and_gradients(made, batch):
    """Loss and gradients of one batch through a trainer's `compute_loss`."""
    made.model.zero_grad()
    loss = made.compute_loss(made.model, batch)
    loss.backward()
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in made.model.named_parameters()
        if parameter.grad is not None
    }
    return loss.detach(), gradients


def weights(made):
    return {name: value.clone() for name, value in made.model.state_dict().items()}


def logged(made, name):
    """Values of a number over the logs of a training."""
    return [row[name] for row in made.state.log_history if name in row]


def lora(**changes):
    """Settings of adapters."""
    return peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **changes
    )


def assert_same_weights(first, second):
    """See that two trainers' models are equal to the last bit."""
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def count_measured(monkeypatch):
    """Steps at which a reference is computed, from now on."""
    steps = []
    measured = PreferenceTrainer._measured

    def counting(self, policy, stage):
        steps.append(self.state.global_step)
        return measured(self, policy, stage)

    monkeypatch.setattr(PreferenceTrainer, "_measured", counting)
    return steps
