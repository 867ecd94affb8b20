"""A tokenizer's chat template, applied in the form that it takes a message's content in."""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import jinja2

from mirrorpo.preference_texts.messages import Message

FAULTS = (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError)
"""What a template raises that does not take a conversation."""

_SAID = "question"
_KNOWN: WeakKeyDictionary[Any, tuple[str, bool]] = WeakKeyDictionary()


def apply(
    tokenizer: Any,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] = (),
    **how: bool,
) -> str:
    """Messages as the tokenizer's chat template writes them.

    Some templates, of models that also see images, take a content as a list of parts and write
    nothing of a plain text, or fail on it. They get the text as its one part.

    Args:
        tokenizer: a tokenizer that has a template.
        messages: at least one, with contents that are texts or None.
        tools: the tools that the assistant may call.
        **how: settings of transformers' `apply_chat_template`.

    Raises:
        Exception: one of `FAULTS`: the template fails.
    """
    if _takes_parts(tokenizer):
        messages = [{**message, "content": _parts(message["content"])} for message in messages]
    return _applied(tokenizer, messages, tools, **how)


def shared(first: str, second: str) -> int:
    """With how many characters both begin."""
    if second.startswith(first):
        return len(first)
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))


def _parts(content: str | None) -> list[dict[str, str]]:
    return [{"type": "text", "text": content or ""}]


def _applied(
    tokenizer: Any,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] = (),
    **how: bool,
) -> str:
    return tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        tools=[dict(tool) for tool in tools] or None,
        tokenize=False,
        **how,
    )


def _takes_parts(tokenizer: Any) -> bool:
    """Whether a template writes a question that is a list of parts, and none that is a text."""
    template = repr(tokenizer.chat_template)
    known = _KNOWN.get(tokenizer)
    if known is None or known[0] != template:
        known = template, not _writes(tokenizer, _SAID) and _writes(tokenizer, _parts(_SAID))
        _KNOWN[tokenizer] = known
    return known[1]


def _writes(tokenizer: Any, content: Any) -> bool:
    try:
        return _SAID in _applied(tokenizer, [{"role": "user", "content": content}])
    except FAULTS:
        return False
