"""The student: a small Llama that learns the teacher's probabilities, place by place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from .vocabulary import Vocabulary

PEAK_RATE, WARM_UP = 3e-3, 0.05
BATCH = 32
WEIGHT_DECAY = 0.1
START = 0.02
"""Standard deviation of a student's embeddings as it begins, as of its other weights."""


@dataclass(frozen=True)
class Lesson:
    """One text of the teacher, in the student's tokens, which are called pieces here.

    Attributes:
        ids: the pieces of the opening and of its continuation, shape (places,).
        begins: the number of pieces of the opening.
        choices: for each place after the opening, pieces that may follow, padded with 0.
        chances: their probabilities; 0 for padding. At the first piece of a drawn token they
            are the teacher's, each token's added to its first piece's; at its other pieces, 1 for
            the piece that is there.
    """

    ids: np.ndarray
    begins: int
    choices: np.ndarray
    chances: np.ndarray


def lessons(
    path: Path, openings: Sequence[Sequence[int]], vocabulary: Vocabulary, end: int
) -> list[Lesson]:
    """The lessons of one file of texts.

    The file has the probabilities of the likeliest tokens alone. Where the drawn token is another
    one, it counts with 1, so that the expectation over drawn tokens is the teacher's distribution.

    Args:
        path: as `teacher.write` makes it.
        openings: the teacher's token ids of each.
        vocabulary: the student's.
        end: the teacher's token that ends a text.
    """
    content = safetensors.numpy.load_file(path)
    return [
        _lesson(
            openings[opening], drawn, tokens, np.exp(chances.astype(np.float64)), vocabulary, end
        )
        for opening, drawn, tokens, chances in zip(
            content["openings"],
            content["drawn"],
            content["tokens"],
            content["log_probs"],
            strict=True,
        )
    ]


def _lesson(
    opening: Sequence[int],
    drawn: np.ndarray,
    tokens: np.ndarray,
    chances: np.ndarray,
    vocabulary: Vocabulary,
    end: int,
) -> Lesson:
    ids = [piece for token in opening for piece in vocabulary.pieces[token]]
    begins = len(ids)
    width = tokens.shape[1] + 1
    choices, shares = [], []
    for token, near, near_chances in zip(drawn, tokens, chances, strict=True):
        pieces = vocabulary.pieces[token]
        firsts = [vocabulary.pieces[one][0] for one in near]
        tail = float(token not in near)
        choices.append([*firsts, pieces[0]])
        shares.append([*near_chances, tail])
        for piece in pieces[1:]:
            choices.append([piece] + [0] * (width - 1))
            shares.append([1.0] + [0.0] * (width - 1))
        ids.extend(pieces)
        if token == end:
            break
    return Lesson(np.array(ids), begins, np.array(choices), np.array(shares, dtype=np.float32))


def new(
    vocabulary: Vocabulary, known: torch.Tensor, end: int, begin: int, width: int, layers: int
) -> Any:
    """An untrained student that knows which pieces are alike.

    Args:
        vocabulary: its own.
        known: the teacher's embeddings of its pieces, shape (pieces, teacher's width). Their
            `width` principal components are where its own embeddings begin.
        end: the piece that ends a text.
        begin: the piece that begins one.
        width: size of its states.
        layers: number of its layers.
    """
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary.tokens),
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            eos_token_id=end,
            bos_token_id=begin,
            pad_token_id=end,
        )
    )
    centred = known - known.mean(0)
    parts = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:width].T
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(parts / parts.std() * START)
    return model


def cross_entropy(model: Any, batch: Sequence[Lesson]) -> tuple[torch.Tensor, int]:
    """The SUM over places after the openings of the teacher's cross entropy, and their number."""
    longest = max(len(one.ids) for one in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    for row, one in enumerate(batch):
        ids[row, : len(one.ids)] = torch.from_numpy(one.ids)
        mask[row, : len(one.ids)] = 1
    rows = np.concatenate([np.full(len(one.choices), row) for row, one in enumerate(batch)])
    places = np.concatenate([one.begins - 1 + np.arange(len(one.choices)) for one in batch])
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state
    log_probs = torch.log_softmax(model.lm_head(hidden[rows, places]), -1)
    choices = torch.from_numpy(np.concatenate([one.choices for one in batch]))
    chances = torch.from_numpy(np.concatenate([one.chances for one in batch]))
    return -(chances * log_probs.gather(1, choices)).sum(), len(rows)


def teach(
    model: Any, given: Sequence[Lesson], epochs: int, seed: int, unseen: Sequence[Lesson]
) -> None:
    """Train a student on lessons, by AdamW with one rise and one cosine fall of its rate.

    Args:
        model: the student.
        given: to learn from.
        epochs: over all of them.
        seed: of their order.
        unseen: others, by which its progress is shown.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    order = np.random.default_rng(seed)
    steps = epochs * (len(given) // BATCH)

    def rate(step: int) -> float:
        share = step / steps
        if share < WARM_UP:
            return (step + 1) / (WARM_UP * steps)
        return 0.5 + 0.5 * math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    for epoch in range(epochs):
        turn = order.permutation(len(given))
        total, places = 0.0, 0
        for first in range(0, len(given) - BATCH + 1, BATCH):
            loss, count = cross_entropy(model, [given[one] for one in turn[first : first + BATCH]])
            optimiser.zero_grad()
            (loss / count).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total, places = total + float(loss.detach()), places + count
        there = measured(model, unseen)
        print(
            f"epoch {epoch + 1}: {total / places:.3f} nats per piece, unseen {there:.3f}",
            flush=True,
        )


@torch.inference_mode()
def measured(model: Any, given: Sequence[Lesson]) -> float:
    """Cross entropy of lessons in nats per place."""
    sums = [
        cross_entropy(model, given[first : first + BATCH]) for first in range(0, len(given), BATCH)
    ]
    return float(sum(loss for loss, _ in sums)) / sum(count for _, count in sums)
