"""A tiny language model whose words are those of reviews, so that its texts have a sentiment."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

import tokenizers
import torch
import transformers

from mirrorpo.language.text_task.prompts import reviews

GOOD = ["great", "wonderful", "lovely", "happy", "excellent", "perfect"]
BAD = ["terrible", "awful", "boring", "ugly", "horrible", "sad"]
PLAIN = ["was", "it", "the", "we", "day", "room", "food", "there", "again", "green"]


def write(folder, seed=0, begins=False):
    """Write model and tokenizer to a folder, and return its path as text.

    `begins`: whether the tokenizer puts a token of its own before every text.
    """
    own = reviews.PROMPTS
    asked = " ".join(prompt.question for prompt in (*own.training, *own.tested))
    words = dict.fromkeys(re.findall(r" ?[^ ]+", asked))
    words.update(dict.fromkeys(f" {word}" for word in (*GOOD, *BAD, *PLAIN)))
    words.update(dict.fromkeys([".", *(f" {word}." for word in (*GOOD, *BAD, *PLAIN))]))
    # As in real tokenizers, a word comes with the space before it.
    names = ["<pad>", "<eos>", *words, *(["<bos>"] if begins else [])]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {name: number for number, name in enumerate(names)}, unk_token="<pad>"
        )
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(r" ?[^ ]+"), "isolated"
    )
    backend.decoder = tokenizers.decoders.Fuse()
    if begins:
        begin = ("<bos>", names.index("<bos>"))
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[begin]
        )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>" if begins else None,
    )
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(names),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    )
    said = {f" {word}{end}" for word in (*GOOD, *BAD, *PLAIN) for end in ("", ".")}
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, 0.5)
        model.model.embed_tokens.weight[:, 0] = 1.0
        model.lm_head.weight.normal_(0, 0.3)
        # It says its own words far more often than those of the prompts, and words of one kind
        # share a direction, so that little training changes how often they come.
        model.lm_head.weight[:, 0] = torch.tensor([2.0 if name in said else 0.0 for name in names])
        model.lm_head.weight[:, 1] = torch.tensor([float(_kind(name)) for name in names])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _kind(name):
    """1 for a good word, -1 for a bad one, else 0."""
    word = name.strip(" .")
    return (word in GOOD) - (word in BAD)
