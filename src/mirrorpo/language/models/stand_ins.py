"""A stand-in for a model and its pairs: random weights, sixteen pairs, nothing to download."""

from typing import Any

from mirrorpo.language.trl_names import datasets, torch, transformers

NAME = "smoke"


def model() -> Any:
    """A Llama of two layers and hidden size 32, of random weights."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=257,
    )
    return transformers.LlamaForCausalLM(config)


def tokenizer() -> Any:
    """One token per byte, an end and a padding token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {name: position for position, name in enumerate([*names, "<eos>", "<pad>"])}
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<eos>", pad_token="<pad>"
    )


def pairs(split: str) -> Any:
    """Sums as conversations, right and wrong: sixteen to train on, four to test."""
    numbers = range(16) if split == "train" else range(16, 20)
    return datasets.Dataset.from_list([_pair(number) for number in numbers])


def _pair(number: int) -> dict[str, list[dict[str, str]]]:
    prompt = {"role": "user", "content": f"What is {number} plus 3?"}
    return {
        side: [prompt, {"role": "assistant", "content": f"It is {answer}."}]
        for side, answer in (("chosen", number + 3), ("rejected", number - 3))
    }
