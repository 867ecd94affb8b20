"""Completions of a model: sampled in batches, seeded, and gone on with after an interruption."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mirrorpo import files, json_lines, limits, seeds, typed
from mirrorpo.language.trl_names import torch, transformers

from . import templates


@dataclass(frozen=True)
class Decoding:
    """How completions are drawn.

    Attributes:
        max_new_tokens: the most tokens of a completion.
        temperature: 0 takes the likeliest token, 1 samples from the model as it is.
        top_p: share of the probability that is sampled from; 1 for all of it.
        batch_size: prompts at once. Batches have seeds of their own, so it changes the samples.
        seed: the seed of the samples.
    """

    max_new_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 1.0
    batch_size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        typed.settle(self)
        limits.at_least(1, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size)
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be at least 0, not {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}.")
        seeds.check(self.seed)


@dataclass(frozen=True)
class _Batch:
    """A line of the file of completions; lines of version 0.1.0 have no number."""

    of: str
    completions: list[str]
    batch: int | None = None


def without_turn_end(tokenizer: Any, text: str) -> str:
    """A completion up to where the chat template ends a turn.

    A template may write that end as text that is not a special token of the tokenizer, as ChatML
    does on a model that was not made for it.
    """
    _, end = _around_an_answer(tokenizer)
    return text.partition(end)[0] if end else text


def without_turn(tokenizer: Any, text: str) -> str:
    """A completion without what the chat template itself writes before and after an answer.

    Before it stand marks such as those of an empty thought, or of a channel.
    """
    begin, _ = _around_an_answer(tokenizer)
    text = without_turn_end(tokenizer, text)
    ids = tokenizer(begin, add_special_tokens=False)["input_ids"]
    for mark in (begin, tokenizer.decode(ids, skip_special_tokens=True)):
        if mark.strip() and text.lstrip().startswith(mark.strip()):
            return text.lstrip().removeprefix(mark.strip())
    return text


def _around_an_answer(tokenizer: Any) -> tuple[str, str]:
    """What a chat template writes between a prompt and its answer, and after that."""
    if tokenizer.chat_template is None:
        return "", ""
    said = "answer"
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": said}]
    try:
        asked = templates.apply(tokenizer, turns[:1], add_generation_prompt=True)
        before, found, end = templates.apply(tokenizer, turns).rpartition(said)
    except templates.FAULTS:
        return "", ""
    return (before[templates.shared(asked, before) :], end.strip()) if found else ("", "")


def complete(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    decoding: Decoding,
    path: Path,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[str]:
    """One completion of each prompt.

    Args:
        model: a causal language model.
        tokenizer: its own; needs a padding token.
        prompts: whole prompts, with their chat template and the token that begins a text, as of
            `chat.as_prompt`: no special tokens are added.
        decoding: see there. Completions are drawn from the model's own distribution: settings
            such as top-k or a penalty for repetition that come with the model are off.
        path: JSON lines, one per batch, each written once finished. The same call resumes
            from there, to the same completions.
        report: called with (prompts done, all prompts).

    Raises:
        ValueError: `path` holds completions of other prompts, or a prompt leaves no room.
    """
    done = _finished(path, prompts, decoding)
    batches = -(-len(prompts) // decoding.batch_size)
    for number in range(batches):
        if number in done:
            continue
        first = number * decoding.batch_size
        report(first, len(prompts))
        batch = list(prompts[first : first + decoding.batch_size])
        texts = _batch(model, tokenizer, batch, decoding, number)
        json_lines.append(path, asdict(_Batch(_digest(batch, decoding), texts, number)))
        done[number] = texts
    report(len(prompts), len(prompts))
    return [text for number in range(batches) for text in done[number]]


def _finished(path: Path, prompts: Sequence[str], decoding: Decoding) -> dict[int, list[str]]:
    """The batches that are done, by their number."""
    made: dict[int, list[str]] = {}
    for place, row in enumerate(json_lines.resume(path, partial(typed.build, _Batch))):
        number = place if row.batch is None else row.batch
        first = number * decoding.batch_size
        batch = prompts[first : first + decoding.batch_size]
        if row.of != _digest(batch, decoding) or len(row.completions) != len(batch):
            raise ValueError(
                f"{path} holds completions of other prompts or settings: remove it, or choose "
                "another folder."
            )
        made[number] = row.completions
    return made


def _digest(batch: Sequence[str], decoding: Decoding) -> str:
    return files.digest([list(batch), repr(decoding)])[:16]


@torch.inference_mode()
def _batch(
    model: Any, tokenizer: Any, prompts: list[str], decoding: Decoding, number: int
) -> list[str]:
    given = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        padding_side="left",
        add_special_tokens=False,
        return_token_type_ids=False,
    ).to(model.device)
    longest = getattr(model.config, "max_position_embeddings", None)
    size = given["input_ids"].shape[1]
    if longest is not None and size >= longest:
        raise ValueError(
            f"A prompt has {size} tokens, but the model takes {longest}: "
            f"{max(prompts, key=len)!r:.60}"
        )
    room = decoding.max_new_tokens if longest is None else longest - size
    sampling: dict[str, Any] = {"do_sample": False}
    if decoding.temperature > 0:
        sampling = {
            "do_sample": True,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": 0,
        }
    devices = [model.device] if model.device.type == "cuda" else []
    model.eval()
    with torch.random.fork_rng(devices=devices), _plain_decoding(model):
        torch.manual_seed((decoding.seed * 1_000_003 + number) % 2**63)
        out = model.generate(
            **given,
            **sampling,
            max_new_tokens=min(decoding.max_new_tokens, room),
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
        )
    return tokenizer.batch_decode(out[:, size:], skip_special_tokens=True)


@contextmanager
def _plain_decoding(model: Any) -> Iterator[None]:
    """Without the settings that come with a model, except where its texts end."""
    own = model.generation_config
    model.generation_config = transformers.GenerationConfig(eos_token_id=own.eos_token_id)
    try:
        yield
    finally:
        model.generation_config = own
