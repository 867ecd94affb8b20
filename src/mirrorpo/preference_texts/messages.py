"""Texts and conversations: one side of a row, checked, in the form that chat templates take."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from .place import Place, found, names, quoted

Message = Mapping[str, Any]
"""With `role`, one of `ROLES`; `content`, a text, or None beside tool calls; and of `_KEPT` what
the row has."""

ROLES = ("system", "developer", "user", "assistant", "tool")
SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "system": "system",
    "observation": "tool",
    "tool": "tool",
}
"""What ShareGPT's `from` names, as roles."""

MEDIA = ("image", "images", "video", "videos", "audio", "audios")
"""Columns of a row, and keys of a message, that a question may need and that no text states."""

_OLDER = "function_call"  # what OpenAI's first chats had in place of tool_calls
_KEPT = ("name", "tool_calls", "tool_call_id", "reasoning_content")


def side(value: Any, column: str, place: Place, said: Counter[str]) -> str | tuple[Message, ...]:
    """A column's value as a text, or as at least one message.

    Args:
        value: a text, a list of messages, or one message.
        column: its name in messages.
        place: the place of the row.
        said: counts what was read in another form than it was written in.

    Raises:
        ValueError: anything else; the message names place, column and what was found.
    """
    if isinstance(value, str):
        _whole_characters(value, f"{place}: {column}")
        return value
    if isinstance(value, Mapping) and value:
        said[f"{column} is one message, read as a list of one"] += 1
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(
            f"{place}: {column} is {found(value)}, but must be a text or a list of messages."
        )
    return tuple(
        _message(item, f"{place}: {column}[{number}]", said) for number, item in enumerate(value)
    )


def tools(value: Any, place: Place, said: Counter[str]) -> tuple[Mapping[str, Any], ...]:
    """A row's tools: JSON schemas of functions, as a list, or as JSON that holds one.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str) and value.strip():
        said["tools are JSON texts, read as lists"] += 1
        value = _json(value, f"{place}: tools")
    if value in (None, "", [], ()):
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError(f"{place}: tools is {found(value)}, but must be a list of JSON schemas.")
    _whole_characters(json.dumps(value, ensure_ascii=False, default=str), f"{place}: tools")
    return tuple(value)


def same(first: Message, second: Message) -> bool:
    """Whether two messages say the same; white space at the ends of a content does not count."""
    return _bare(first) == _bare(second)


def is_empty(value: Any) -> bool:
    """Whether a value is null, an empty text, or a list of empty values only."""
    return not value or (isinstance(value, list) and not any(value))


def _bare(message: Message) -> dict[str, Any]:
    return {**message, "content": (message["content"] or "").strip()}


def _message(item: Any, where: str, said: Counter[str]) -> Message:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} is {found(item)}, but must be a message with role and content.")
    if "role" in item:
        role, content, own = item["role"], item.get("content"), {"role", "content"}
        if role not in ROLES:
            raise ValueError(
                f"{where}.role is {found(role)}, but must be {', '.join(ROLES[:-1])} or "
                f"{ROLES[-1]}."
            )
    elif "from" in item:
        said["messages have from and value, read as role and content"] += 1
        speaker, content, own = item["from"], item.get("value"), {"from", "value"}
        role = SPEAKERS.get(speaker) if isinstance(speaker, str) else None
        if role is None:
            raise ValueError(
                f"{where}.from is {found(speaker)}, but must be one of {', '.join(SPEAKERS)}."
            )
    else:
        raise ValueError(
            f"{where} has the keys {names(item) or 'of nothing'}: a message has role and content."
        )
    message = {"role": role, "content": _content(content, f"{where}.content", said)}
    for key in _KEPT:
        value = item.get(key)
        if value is None or value == [] or value == "":
            continue
        message[key] = _calls(value, f"{where}.{key}") if key == "tool_calls" else value
        _whole_characters(json.dumps(message[key], ensure_ascii=False, default=str), where)
    for key in item:
        if key in (*MEDIA, _OLDER) and not is_empty(item[key]):
            what = "write it as tool_calls" if key == _OLDER else "only texts can be trained on"
            raise ValueError(f"{where}.{key} is {found(item[key])}: {what}.")
        if key not in own and key not in _KEPT and item[key] is not None:
            said[f"messages have the key {key}, which is ignored"] += 1
    if message["content"] is None and not (role == "assistant" and "tool_calls" in message):
        raise ValueError(f"{where}.content is null: a message says something, or calls a tool.")
    return message


def _content(value: Any, where: str, said: Counter[str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, list | tuple) and value:
        texts = []
        for number, part in enumerate(value):
            kind = part.get("type", "text") if isinstance(part, Mapping) else None
            text = part.get("text") if isinstance(part, Mapping) else part
            if kind not in (None, "text") or not isinstance(text, str):
                what = f"of the type {found(kind)}" if kind not in (None, "text") else found(text)
                raise ValueError(
                    f"{where}[{number}] is {what}: only parts that are text can be trained on."
                )
            texts.append(text)
        said["contents are lists of texts, read as one text each"] += 1
        value = "".join(texts)
    if not isinstance(value, str):
        raise ValueError(f"{where} is {found(value)}, but must be a text.")
    _whole_characters(value, where)
    return value


def _calls(value: Any, where: str) -> list[Mapping[str, Any]]:
    """Tool calls with their arguments as objects: templates write those as JSON themselves."""
    if not isinstance(value, list | tuple) or not all(isinstance(call, Mapping) for call in value):
        raise ValueError(f"{where} is {found(value)}, but must be a list of calls.")
    calls: list[Mapping[str, Any]] = []
    for number, call in enumerate(value):
        own = call.get("function", call)
        if not isinstance(own, Mapping) or not isinstance(own.get("name"), str):
            raise ValueError(f"{where}[{number}] is {found(call)}: a call has a name.")
        given = own.get("arguments")
        if isinstance(given, str) and given.strip():
            given = _json(given, f"{where}[{number}].arguments")
        if given in (None, ""):
            given = {}
        if not isinstance(given, Mapping):
            raise ValueError(f"{where}[{number}].arguments is {found(given)}, not an object.")
        function = {**own, "arguments": given}
        calls.append({**call, "function": function} if "function" in call else function)
    return calls


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{where} is {found(text)}, which is not JSON.") from None


def _whole_characters(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} holds half a character, {text[error.start]!a}: it was cut in the middle of "
            f"an emoji or the like, after {quoted(text[max(0, error.start - 20) : error.start])}."
        ) from None
