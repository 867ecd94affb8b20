"""The one rule by which prompts and answers become what a model reads.

It holds in training, judging and scoring.

Where the tokenizer has a chat template, a prompt that is a text is a user's message, and an answer
that is a text is the assistant's. Where it has none, texts are taken as they are, and conversations
cannot be stated. Every prompt begins with the token that begins a text, where there is one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from mirrorpo.preference_texts.messages import Message
from mirrorpo.preference_texts.place import Place, found, quoted
from mirrorpo.preference_texts.row import PreferenceRow

from . import templates

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
NONE = "none"
"""A recipe's `chat_template` that takes the tokenizer's own away."""

_SPACE = re.compile(r"\s+")
_THOUGHT = "</think>"
_MARKS = re.compile(r"</?think>")
_TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""What templates write as one token: ``<|im_end|>``, ``<think>``, ``[/INST]``."""


@dataclass(frozen=True)
class Rendered:
    """What a model reads of a row: prompt + chosen is the one text, prompt + rejected the other.

    Attributes:
        prompt, chosen, rejected: see above.
        unwritten: the end of what the template adds to ask for an answer, where it does not write
            it before these answers; else "".
    """

    prompt: str
    chosen: str
    rejected: str
    unwritten: str = ""


def set_template(tokenizer: Any, text: str | None) -> None:
    """Give a tokenizer a recipe's chat template.

    Args:
        tokenizer: changed in place; a model that is saved with it is prompted as it was trained.
        text: a template, "chatml", "none" for no template, or None for the tokenizer's own.
    """
    if text is not None:
        tokenizer.chat_template = {"chatml": CHATML, NONE: None}.get(text, text)


def as_prompt(tokenizer: Any, instruction: str) -> str:
    """An instruction as a model is asked it, to be tokenised without special tokens.

    Raises:
        ValueError: the chat template fails on it, or leaves it out.
    """
    if tokenizer.chat_template is not None:
        place, message = f"The instruction {quoted(instruction)}", _messages(instruction, "user")
        written = templated(tokenizer, place, message, add_generation_prompt=True)
        _see(place, _squeezed(written), [instruction], "the user's message")
        instruction = written
    return begun(tokenizer, instruction)


def begun(tokenizer: Any, text: str) -> str:
    """A text that begins with the tokenizer's first token, where it has one, as TRL trains it."""
    first = tokenizer.bos_token
    return text if first is None or text.startswith(first) else first + text


def render(tokenizer: Any, row: PreferenceRow) -> Rendered:
    """A row as a model reads it, without the token that begins a text.

    Raises:
        ValueError: a conversation, or tools, without a chat template; a template that fails, or
            that leaves a part of the row out.
    """
    if tokenizer.chat_template is None:
        return _plain(row)
    asked = _messages(row.prompt, "user")
    answers = [_messages(side, "assistant") for side in (row.chosen, row.rejected)]
    prompt = templated(tokenizer, row.place, asked, row.tools, add_generation_prompt=True)
    whole = [templated(tokenizer, row.place, (*asked, *answer), row.tools) for answer in answers]
    # What a template adds to ask for an answer need not be what it writes before one.
    end = min(templates.shared(prompt, text) for text in whole)
    if end < len(prompt):
        end = min(_before_token(text, end) for text in (prompt, *whole))
    prompt, unwritten = prompt[:end], prompt[end:]
    chosen, rejected = (text[len(prompt) :] for text in whole)
    _whole(row, prompt, asked, "prompt")
    _whole(row, chosen, answers[0], "chosen")
    _whole(row, rejected, answers[1], "rejected")
    return Rendered(prompt, chosen, rejected, unwritten)


def _plain(row: PreferenceRow) -> Rendered:
    parts = (row.prompt, row.chosen, row.rejected)
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts) or row.tools:
        what = "tools" if len(texts) == len(parts) else "a conversation"
        raise ValueError(
            f"{row.place} has {what}, but the tokenizer has no chat template to write it by: name "
            "one (chat_template: chatml in a recipe), or a model that has one."
        )
    return Rendered(*texts)


def _messages(value: str | tuple[Message, ...], role: str) -> tuple[Message, ...]:
    return ({"role": role, "content": value},) if isinstance(value, str) else value


def templated(
    tokenizer: Any,
    place: Place | str,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] = (),
    **how: bool,
) -> str:
    """Messages as the tokenizer's chat template writes them.

    Args:
        tokenizer: a tokenizer that has a template.
        place: the place of the conversation, for messages.
        messages: at least one.
        tools: the tools that the assistant may call.
        **how: settings of transformers' `apply_chat_template`.

    Raises:
        ValueError: the template is none, or fails on these messages.
    """

    def apply(given: Sequence[Message]) -> str:
        return templates.apply(tokenizer, given, tools, **how)

    try:
        if all(message["content"] is not None for message in messages):
            return apply(messages)
        try:
            return apply(messages)
        except (jinja2.TemplateError, TypeError):  # it joins contents as texts
            return apply([{**message, "content": message["content"] or ""} for message in messages])
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"The chat template is not a template: {_line(error)}.") from None
    except templates.FAULTS as error:
        raise ValueError(
            f"{place}: the chat template does not take this conversation: {_line(error)}"
        ) from None


def _whole(row: PreferenceRow, text: str, messages: Sequence[Message], part: str) -> None:
    """See that a template wrote all that is said in a part of a row."""
    written = _squeezed(text)
    for message in messages:
        said = [message["content"] or ""]
        if part == "prompt" and message["role"] == "assistant":
            # Templates leave out what the assistant thought in earlier turns.
            said = [said[0].rpartition(_THOUGHT)[2]]
        elif part != "prompt":
            # A template may itself open the thought, at the end of the prompt.
            said = [*_MARKS.split(said[0]), str(message.get("reasoning_content", ""))]
        _see(row.place, written, said, f"the {message['role']}'s message in {part}")
        calls = message.get("tool_calls", ())
        leaves = [text for call in calls for text in _leaves(call.get("function", call))]
        _see(row.place, written, leaves, f"a tool call in {part}")
    if part == "prompt" and row.tools:
        names = [tool.get("function", tool).get("name", "") for tool in row.tools]
        _see(row.place, written, names, "tools")


def _see(place: Place | str, written: str, said: Sequence[str], what: str) -> None:
    for piece in said:
        own = json.dumps(piece, ensure_ascii=False)[1:-1]
        if _squeezed(piece) not in written and _squeezed(own) not in written:
            raise ValueError(
                f"{place}: the chat template leaves out {what}, {found(piece)}: use another "
                "template, or leave out what it cannot state."
            )


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _leaves(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _leaves(item)]
    return [value] if isinstance(value, str) else []


def _before_token(text: str, end: int) -> int:
    """A place in a text, moved to the beginning of the token that it is inside of."""
    found = _TOKEN.search(text, max(text.rfind("<", 0, end), text.rfind("[", 0, end), 0))
    return found.start() if found and found.start() < end < found.end() else end


def _squeezed(text: str) -> str:
    return _SPACE.sub("", text)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
