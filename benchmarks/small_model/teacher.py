"""The teacher's texts after openings of reviews, with its probabilities of the next token."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.numpy
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from mirrorpo import files
from mirrorpo.language.models import loading

TEACHER = "smollm2"
BATCH = 64
NEW_TOKENS = 33
"""One more than the bench draws, so that the student also learns texts that are longer."""
LIKELIEST = 48
"""How many tokens' probabilities are kept per place; `student.lessons` says what of the others."""


class _Recorder(LogitsProcessor):
    """Keeps the likeliest tokens' log-probs at every place."""

    def __init__(self) -> None:
        self.tokens: list[torch.Tensor] = []
        self.log_probs: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        found = torch.log_softmax(scores, -1).topk(LIKELIEST)
        self.tokens.append(found.indices.to(torch.int32))
        self.log_probs.append(found.values.to(torch.float16))
        return scores


def write(folder: Path, openings: Sequence[str], rounds: int, first: int = 0) -> None:
    """Draw `rounds` texts of each opening at temperature 1, one file per batch; resumes.

    A file holds `BATCH` texts: `openings`, shape (texts,), the numbers of their openings; `drawn`,
    shape (texts, places), token ids, filled up with the token that ends a text; `tokens` and
    `log_probs`, shape (texts, places, LIKELIEST), the likeliest next tokens.

    Args:
        folder: where the files are written.
        openings: the beginnings of the texts.
        rounds: how many texts are drawn per opening.
        first: number of the batch to begin with, where several processes share the work.
    """
    model, tokenizer = loading.load(TEACHER)
    model.eval()
    files.make_folder(folder)
    for number in range(first, len(openings) * rounds // BATCH):
        path = folder / f"{number:04d}.safetensors"
        if not path.is_file():
            asked = [(number * BATCH + place) % len(openings) for place in range(BATCH)]
            _batch(model, tokenizer, [openings[one] for one in asked], asked, number, path)
            print(f"{path.name}: {BATCH} texts", flush=True)


@torch.inference_mode()
def _batch(
    model: Any,
    tokenizer: Any,
    texts: list[str],
    asked: list[int],
    number: int,
    path: Path,
) -> None:
    given = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
    torch.manual_seed(number)
    seen = _Recorder()
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    out = model.generate(
        **given,
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=NEW_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        logits_processor=LogitsProcessorList([seen]),
    )
    content = {
        "openings": torch.tensor(asked, dtype=torch.int32),
        "drawn": out[:, given["input_ids"].shape[1] :].to(torch.int32),
        "tokens": torch.stack(seen.tokens, 1),
        "log_probs": torch.stack(seen.log_probs, 1),
    }
    arrays = {name: one.numpy() for name, one in content.items()}
    files.write_atomically(path, lambda new: safetensors.numpy.save_file(arrays, new))
