"""A chat template of a kind that many models have, and what rows hold that it writes."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language.models import stand_ins

TEMPLATE = (  # of a kind that many models have: marks for roles, an end of turn, tools, calls
    "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}<call>{{ call | tojson }}</call>{% endfor %}<end>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
SCHEMA = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALL = {
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"what": "a \\"tent\\""}'},
}


def tokenizer(template=TEMPLATE, **tokens):
    made = stand_ins.tokenizer()
    made.chat_template = template
    for name, token in tokens.items():
        setattr(made, name, token)
    return made


TEXTS = {"prompt": "What?", "chosen": " yes", "rejected": " no"}
