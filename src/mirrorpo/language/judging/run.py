"""Two models' answers compared: answers, verdicts and win rates in a run folder."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorpo import files, json_lines, runs
from mirrorpo.language.models import chat, generation, loading
from mirrorpo.preference_texts import formats
from mirrorpo.progress import Progress
from mirrorpo.runtime import cache

from . import answers, rates, scores, settings
from .answers import Answer, Pair
from .store import Store

if TYPE_CHECKING:
    from .length_control import Controlled

JUDGE_FILES = (".yaml", ".yml")
_NAMED = 3


@dataclass(frozen=True)
class Contestant:
    """Whose answers are compared.

    Attributes:
        name: a file of answers, or a model as `loading.load` takes it.
        adapter: a LoRA adapter for the model.
    """

    name: str
    adapter: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a file of answers: what is there on disk is never looked for on a hub."""
        path = Path(self.name)
        return path.is_file() or (formats.kind(path) is not None and not path.is_dir())


def prepare(
    contestant: Contestant,
    instructions: list[str] | None,
    decoding: generation.Decoding,
    out: Path,
    role: str,
    report: Progress,
) -> list[Answer]:
    """A contestant's answers: read, or generated into `out`/ROLE-outputs.json.

    Args:
        contestant: a file, or a model.
        instructions: what a model is to answer; of a file, those that count. None for all.
        decoding: the decoding of a model.
        out: run folder.
        role: "model" or "baseline".
        report: told the prompts done, all prompts, and what is being done.

    Raises:
        ValueError: a model without instructions, or as `answers.read`, `answers.select` and
            `loading.load`.
    """
    if contestant.is_file:
        given = answers.read(Path(contestant.name))
        if instructions is None:
            return given
        return answers.select(given, instructions, Path(contestant.name))
    if instructions is None:
        raise ValueError(f"{contestant.name} is to answer instructions: name them by --prompts.")
    path, parts = out / f"{role}-outputs.json", out / f"{role}-outputs.part.jsonl"
    if path.is_file():
        parts.unlink(missing_ok=True)
        return answers.read(path)
    model, tokenizer = loading.load(contestant.name, contestant.adapter)
    texts = generation.complete(
        loading.on_device(model),
        tokenizer,
        [chat.as_prompt(tokenizer, text) for text in instructions],
        decoding,
        parts,
        lambda done, of: report(done, of, f"Answers of the {role}"),
    )
    name = contestant.name if contestant.adapter is None else contestant.adapter
    made = [
        Answer(instruction, generation.without_turn(tokenizer, text).strip(), name)
        for instruction, text in zip(instructions, texts, strict=True)
    ]
    answers.write(path, made)
    parts.unlink()
    return made


def load_judge(text: str) -> settings.ModelJudge | scores.ScoreJudge:
    """A judge from its text: ``vader``, ``PATH.py:FUNCTION``, or a .yaml file of a `ModelJudge`."""
    return settings.load(Path(text)) if text.endswith(JUDGE_FILES) else scores.load(text)


def description(judge: settings.ModelJudge | scores.ScoreJudge) -> dict[str, Any]:
    """What decides a judge's verdicts, as JSON."""
    if isinstance(judge, scores.ScoreJudge):
        return {"function": judge.name, "version": judge.version}
    return {"model": judge.model, "endpoint": judge.endpoint, "annotator": judge.annotator}


def compare(
    model: list[Answer],
    baseline: list[Answer],
    judge: settings.ModelJudge | scores.ScoreJudge,
    out: Path,
    difficulty: Path | None = None,
    seed: int = 0,
    kept: Path | None = None,
    report: Progress = lambda done, of, doing: None,
) -> dict[str, Any]:
    """Judge all pairs of answers.

    Args:
        model: answers of the model.
        baseline: answers of the baseline to the same instructions.
        judge: the judge that `load_judge` gives.
        out: run folder: metrics.jsonl gets one line per pair, results.json what is returned.
        difficulty: see `length_control.win_rate`.
        seed: the seed of the bootstrap.
        kept: folder of the judges' earlier answers; None for the user's cache.
        report: told the calls done, all calls, and what is being done.

    Returns:
        `what` the numbers are in words, `pairs`, `without_verdict`, `win_rate` and
        `length_controlled_win_rate`, each with value, standard_error, low and high in percent
        (the latter None where it is not defined), and `notes` on what they do not show.
    """
    from . import length_control

    pairs = answers.match(model, baseline)
    about = description(judge)
    folder = kept if kept is not None else cache.folder() / "judges"
    store = Store(folder / f"{files.digest(about)[:16]}.jsonl")

    def told(done: int, of: int) -> None:
        report(done, of, "Verdicts")

    found: list[float | None]
    reasons: dict[int, str] = {}
    if isinstance(judge, scores.ScoreJudge):
        found = [*scores.preferences(judge, pairs, store, told)]
    else:
        from . import comparison

        found, reasons = comparison.verdicts(judge, pairs, store, told)
    json_lines.write(
        out / runs.METRICS,
        [
            {
                **dataclasses.asdict(pair),
                "preference": value,
                **({"refused": reasons[number]} if number in reasons else {}),
            }
            for number, (pair, value) in enumerate(zip(pairs, found, strict=True))
        ],
    )
    known = [value for value in found if value is not None]
    if not known:
        said = f", such as {next(iter(reasons.values()))}" if reasons else ""
        raise ValueError(
            f"The judge {about.get('function') or about['model']} gave no verdict on any of the "
            f"{len(pairs)} pairs{said}."
        )
    controlled = length_control.win_rate(
        pairs, found, difficulty, seed, lambda done, of: report(done, of, "Length control")
    )
    results = {
        "what": f"win rate of {model[0].generator} against {baseline[0].generator} on "
        f"{len(known)} instructions, judged by {about.get('function') or about['model']}",
        "model": model[0].generator,
        "baseline": baseline[0].generator,
        "judge": about,
        "pairs": len(known),
        "without_verdict": len(found) - len(known),
        "win_rate": _numbers(rates.win_rate(known, seed)),
        "length_controlled_win_rate": None if controlled is None else _numbers(controlled),
        "mean_characters": {
            "model": sum(len(pair.candidate) for pair in pairs) / len(pairs),
            "baseline": sum(len(pair.baseline) for pair in pairs) / len(pairs),
        },
        "notes": [*_without_verdict(pairs, found, reasons), *_notes(known, controlled, difficulty)],
    }
    files.write_json(out / "results.json", results)
    return results


def _without_verdict(
    pairs: list[Pair], found: list[float | None], reasons: dict[int, str]
) -> list[str]:
    """A line on the pairs that are left out, which names the first few."""
    lost = [number for number, value in enumerate(found) if value is None]
    if not lost:
        return []
    named = "; ".join(
        f"{pairs[number].instruction!r:.60} ({reasons.get(number, 'no verdict in its answer')})"
        for number in lost[:_NAMED]
    )
    more = f"; and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return [
        f"{len(lost)} of {len(pairs)} pairs have no verdict and are left out: {named}{more}. The "
        "same command asks for these again, and for no other."
    ]


def _notes(known: list[float], controlled: Controlled | None, difficulty: Path | None) -> list[str]:
    from .length_control import RELIABLE_PAIRS

    notes = []
    if controlled is None:
        notes.append(
            "No length-controlled win rate: it needs five pairs whose lengths differ differently."
        )
    elif len(known) < RELIABLE_PAIRS:
        notes.append(
            f"The length-controlled win rate is unreliable with {len(known)} pairs: it recovers a "
            f"known rate at {RELIABLE_PAIRS}, but not at 60."
        )
    if controlled is not None and not controlled.converged:
        notes.append(
            "The regression of the length-controlled win rate did not converge: do not rely on it."
        )
    if controlled is not None and difficulty is None:
        notes.append("Length is controlled without the instructions' difficulty.")
    return notes


def _numbers(rate: rates.Rate) -> dict[str, float | None]:
    found = {field.name: getattr(rate, field.name) for field in dataclasses.fields(rates.Rate)}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
