"""A row that was checked: its question, two answers, and where it stands."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import messages
from .messages import Message
from .place import Place, found, names

COLUMNS = ("prompt", "chosen", "rejected")
REFERENCE_COLUMNS = (
    ("ref_chosen_logps", "ref_rejected_logps"),
    ("reference_chosen_logps", "reference_rejected_logps"),
)
"""Names under which a dataset may hold its reference's summed log-probs."""

_MOST = 1e30
"""Size of a log-prob, far beyond what any text has."""

_TEXT_PROMPT = "the prompt is a text and the answers are messages: it is the user's message"
_AGAIN = "the prompt stands again at the head of both answers: it is taken once"
_TEXT_ANSWERS = "the prompt is a conversation and the answers are texts: they are the assistant's"
_SYSTEM_FIRST = "the prompt's system message and the conversations are joined"


@dataclass(frozen=True)
class PreferenceRow:
    """One pair. Its three parts are all texts, or all conversations.

    Attributes:
        place: where it stands.
        prompt: all that comes before an answer. A conversation ends with a user's or a tool's
            message.
        chosen, rejected: the answers and nothing else. As conversations, messages of the
            assistant.
        tools: JSON schemas of the functions that the assistant may call.
        reference: summed log-probs of chosen and rejected under a reference, if they were read.
    """

    place: Place
    prompt: str | tuple[Message, ...]
    chosen: str | tuple[Message, ...]
    rejected: str | tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    reference: tuple[float, float] | None = None

    @property
    def question(self) -> str:
        """The prompt as one text that is the same for the same prompt, however it was written."""
        return as_question(self.prompt)

    def answer(self, side: str) -> str:
        """The chosen or the rejected answer as plain text, calls of tools as JSON."""
        given = self.chosen if side == "chosen" else self.rejected
        if isinstance(given, str):
            return given
        parts = []
        for message in given:
            calls = message.get("tool_calls")
            written = json.dumps(calls, ensure_ascii=False, default=str) if calls else None
            parts += [message.get("reasoning_content"), message["content"], written]
        return "\n".join(part for part in parts if part)


def check(
    place: Place, row: Mapping[str, Any], said: Counter[str], reference: bool = False
) -> PreferenceRow:
    """A row with the columns prompt, chosen, rejected and tools, as a `PreferenceRow`.

    Args:
        place: where it stands.
        row: conversations may hold their prompt themselves; other columns are not looked at.
        said: counts what was read in another form than it was written in.
        reference: whether to read `REFERENCE_COLUMNS` too.

    Raises:
        ValueError: a part is missing or is neither text nor conversation, a question or an answer
            cannot be told from the other, or a log-prob is not a number of at most 0.
    """
    sides = {}
    for name in ("chosen", "rejected"):
        if name not in row:
            raise ValueError(f"{place} has no {name}: its columns are {names(row)}.")
        sides[name] = messages.side(row[name], name, place, said)
    chosen, rejected = sides["chosen"], sides["rejected"]
    given = row.get("prompt")
    prompt = None if given is None or given == [] else messages.side(given, "prompt", place, said)
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise ValueError(
            f"{place}: chosen is {found(row['chosen'])}, but rejected is {found(row['rejected'])}: "
            "write both as texts, or both as messages."
        )
    if not isinstance(chosen, str) and not isinstance(rejected, str):
        prompt, chosen, rejected = _conversation(place, prompt, chosen, rejected, said)
    elif prompt is None:
        what = found(given) if "prompt" in row else "not there"
        raise ValueError(f"{place}: prompt is {what}, and texts do not hold their question.")
    elif not isinstance(prompt, str):
        said[_TEXT_ANSWERS] += 1
        chosen, rejected = (
            ({"role": "assistant", "content": text},) for text in (str(chosen), str(rejected))
        )
    if isinstance(prompt, str) and not prompt.strip():
        raise ValueError(f"{place}: prompt is {found(prompt)}: every pair needs its question.")
    if not isinstance(prompt, str):
        ends_with_a_question(place, prompt)
    return PreferenceRow(
        place,
        prompt,
        chosen,
        rejected,
        messages.tools(row.get("tools"), place, said),
        _reference(place, row) if reference else None,
    )


def _conversation(
    place: Place,
    prompt: str | tuple[Message, ...] | None,
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    said: Counter[str],
) -> tuple[tuple[Message, ...], ...]:
    """Prompt, chosen and rejected, each message in one of them."""
    shared = 0
    most = min(len(chosen), len(rejected)) - 1
    while shared < most and messages.same(chosen[shared], rejected[shared]):
        shared += 1
    # What both answers begin with is of the answers.
    while shared and chosen[shared - 1]["role"] == "assistant":
        shared -= 1
    head, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        others = [message["role"] for message in answer if message["role"] != "assistant"]
        if others:
            raise ValueError(
                f"{place}: {name} holds a message of the role {others[0]} that the other side does "
                "not share: an answer is the assistant's alone, after the part that both share."
            )
    return _whole_prompt(place, prompt, head, said), chosen, rejected


def _whole_prompt(
    place: Place,
    prompt: str | tuple[Message, ...] | None,
    head: tuple[Message, ...],
    said: Counter[str],
) -> tuple[Message, ...]:
    """The prompt column and what both conversations begin with, as one conversation."""
    if prompt is None:
        if not head:
            raise ValueError(
                f"{place}: there is no prompt, and chosen and rejected do not begin with one."
            )
        return head
    if isinstance(prompt, str) and head and not prompt.strip():
        return head
    if isinstance(prompt, str):
        if any((message["content"] or "").strip() == prompt.strip() for message in head):
            said[_AGAIN] += 1
            return head
        own: tuple[Message, ...] = ({"role": "user", "content": prompt},)
        if all(message["role"] in ("system", "developer") for message in head):
            said[_TEXT_PROMPT] += 1
            return (*head, *own)
        raise _two_questions(place, prompt, head)
    if not head:
        return prompt
    if _holds(head, prompt):
        said[_AGAIN] += 1
        return head
    if all(message["role"] in ("system", "developer") for message in prompt):
        said[_SYSTEM_FIRST] += 1
        return (*prompt, *head)
    raise _two_questions(place, prompt[-1]["content"], head)


def _two_questions(place: Place, prompt: Any, head: Sequence[Message]) -> ValueError:
    return ValueError(
        f"{place}: prompt is {found(prompt)}, but chosen and rejected begin with "
        f"{found(head[-1]['content'])}: MirrorPO cannot decide which one is the question. Leave "
        "one out, or leave the column prompt out for all rows (columns: prompt=null)."
    )


def _holds(whole: Sequence[Message], part: Sequence[Message]) -> bool:
    return any(
        all(messages.same(*pair) for pair in zip(whole[first:], part, strict=False))
        for first in range(len(whole) - len(part) + 1)
    )


def as_question(prompt: str | Sequence[Message]) -> str:
    """A prompt as one text.

    It is a text itself, a single message of the user's, or the messages as JSON.
    """
    if isinstance(prompt, str):
        return prompt
    if [message["role"] for message in prompt] == ["user"]:
        return str(prompt[0]["content"])
    return json.dumps(prompt, ensure_ascii=False, default=str)


def ends_with_a_question(place: Place, prompt: Sequence[Message]) -> None:
    """See that a conversation ends with what an answer follows.

    Raises:
        ValueError: it ends with another's message, or with an empty one.
    """
    last = prompt[-1]
    if last["role"] not in ("user", "tool"):
        raise ValueError(
            f"{place}: the prompt ends with a message of the role {last['role']}: an answer "
            "follows a message of the role user or tool."
        )
    if not (last["content"] or "").strip():
        raise ValueError(f"{place}: the prompt's last message is empty: a pair needs its question.")


def _reference(place: Place, row: Mapping[str, Any]) -> tuple[float, float] | None:
    for columns in REFERENCE_COLUMNS:
        if not any(name in row for name in columns):
            continue
        for name in columns:
            value = _number(row.get(name))
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not -_MOST <= value <= 0:
                raise ValueError(
                    f"{place}: {name} is {found(value)}, but must be a sum of log-probs: a number "
                    "from -1e30 to 0, in every row."
                )
        first, second = (float(row[name]) for name in columns)
        return first, second
    return None


def _number(value: Any) -> Any:
    """A number that is written as a text, as all are in CSV."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
