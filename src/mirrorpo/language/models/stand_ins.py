"""Stand-ins for models and their pairs: random weights, sixteen pairs, nothing to download."""

from typing import Any

from mirrorpo.language.trl_names import datasets, torch, transformers

NAME = "smoke"
GEMMA, MISTRAL = "smoke-gemma", "smoke-mistral"
NAMES = (NAME, GEMMA, MISTRAL)

_SIZES: dict[str, Any] = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 258,
    "eos_token_id": 256,
    "pad_token_id": 257,
}


def standing_for(model: str) -> str:
    """The name of the stand-in of a model's architecture, which its name states; else `NAME`."""
    return next((own for own in (GEMMA, MISTRAL) if own.rpartition("-")[2] in model.lower()), NAME)


def model(name: str = NAME) -> Any:
    """A model of two layers and hidden size 32, of random weights.

    It is a Llama, or has what is particular to Gemma 7B or to Mistral 7B v0.3.
    """
    torch.manual_seed(0)
    if name == GEMMA:
        # Heads are wider than their share, input and output share their embeddings.
        own = {**_SIZES, "num_key_value_heads": 2, "head_dim": 24}
        return transformers.GemmaForCausalLM(transformers.GemmaConfig(**own))
    if name == MISTRAL:
        # Two heads share keys and values; attention reaches all tokens.
        own = {**_SIZES, "num_key_value_heads": 1, "sliding_window": None}
        return transformers.MistralForCausalLM(transformers.MistralConfig(**own))
    plain: dict[str, Any] = {"vocab_size": 258, "bos_token_id": None, "num_key_value_heads": 2}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**_SIZES | plain))


def tokenizer(name: str = NAME) -> Any:
    """One token per byte, an end and a padding token.

    For Gemma and Mistral it also has the token that begins every text, as theirs have.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    begins = name in (GEMMA, MISTRAL)
    special = ["<eos>", "<pad>", *(["<bos>"] if begins else [])]
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *special]
    words = {name: position for position, name in enumerate(names)}
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokens = {"eos_token": "<eos>", "pad_token": "<pad>"}
    if begins:
        tokens["bos_token"] = "<bos>"
        backend.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", words["<bos>"])]
        )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **tokens)


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
