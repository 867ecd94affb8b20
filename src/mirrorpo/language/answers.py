"""Instructions and answers as files: JSON or JSON lines, in the layout of alpaca_eval."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files


@dataclass(frozen=True)
class Answer:
    """What a model says to an instruction.

    Attributes:
        instruction: the whole prompt, without a chat template.
        output: the answer's text.
        generator: name of the model.
    """

    instruction: str
    output: str
    generator: str


@dataclass(frozen=True)
class Pair:
    """Two answers to one instruction, of the model to judge and of its baseline."""

    instruction: str
    candidate: str
    baseline: str


def read_instructions(path: Path) -> list[str]:
    """Instructions of a .json or .jsonl file: texts, or objects with the key ``instruction``.

    Raises:
        ValueError: no such file, not JSON, none in it, a row without its text, or one twice.
    """
    rows = _rows(path, "file of instructions")
    found = []
    for number, row in enumerate(rows):
        text = row.get("instruction") if isinstance(row, dict) else row
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{path}: row {number} has no instruction: write a text, or an object with the key "
                "instruction."
            )
        found.append(text)
    _no_repeats(found, path)
    return found


def read(path: Path) -> list[Answer]:
    """Answers of a .json or .jsonl file, as alpaca_eval and `write` lay them out.

    Raises:
        ValueError: no such file, not JSON, none in it, a row that lacks a text, or an instruction
            twice.
    """
    found = []
    for number, row in enumerate(_rows(path, "file of answers")):
        given = row if isinstance(row, dict) else {}
        missing = [key for key in ("instruction", "output") if not isinstance(given.get(key), str)]
        if missing:
            raise ValueError(
                f"{path}: row {number} has no {' and no '.join(missing)}: answers have the keys "
                "instruction, output and generator."
            )
        name = str(given.get("generator") or path.stem)
        found.append(Answer(given["instruction"], given["output"], name))
    _no_repeats([answer.instruction for answer in found], path)
    return found


def write(path: Path, answers: Sequence[Answer]) -> None:
    """Write answers as JSON, in the layout of alpaca_eval's model outputs."""
    files.write_json(path, [asdict(answer) for answer in answers])


def match(candidate: Sequence[Answer], baseline: Sequence[Answer]) -> list[Pair]:
    """The answers to each instruction, in the candidate's order.

    Raises:
        ValueError: an instruction that only one of the two has answered.
    """
    of_baseline = {answer.instruction: answer.output for answer in baseline}
    own = {answer.instruction for answer in candidate}
    for missing, who in (
        ([text for text in own if text not in of_baseline], "the baseline"),
        ([text for text in of_baseline if text not in own], "the model"),
    ):
        if missing:
            raise ValueError(
                f"The answers do not match: {who} has none to {len(missing)} instructions of the "
                f"other, such as {min(missing)!r:.80}. Both must answer the same instructions."
            )
    return [
        Pair(answer.instruction, answer.output, of_baseline[answer.instruction])
        for answer in candidate
    ]


def _rows(path: Path, what: str) -> list[Any]:
    if path.suffix == ".jsonl":
        try:
            # Not splitlines: a text may hold other ends of lines, such as U+2028, as they are.
            lines = path.read_text(encoding="utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line.strip()]
        except FileNotFoundError:
            raise ValueError(f"Cannot read a {what} at {path}: the file does not exist.") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a {what}: not valid JSON lines ({error}).") from None
    else:
        rows = files.read_json(path, f"a {what}")
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path} is not a {what}: it must hold a list with at least one row.")
    return rows


def _no_repeats(texts: Sequence[str], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, text in enumerate(texts):
        if text in seen:
            raise ValueError(
                f"{path}: rows {seen[text]} and {number} have the same instruction: keep one."
            )
        seen[text] = number
