"""The rule of chat templates: what a row says is written as the template has it, whole."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets

from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import chat, stand_ins
from mirrorpo.preference_texts import reading

from . import tiny
from .chat_rows import CALL, SCHEMA, TEMPLATE, TEXTS, tokenizer


def one(row):
    (found,) = reading.from_rows([row], "data").rows
    return found


SPOKEN = {
    "prompt": [{"role": "user", "content": "What?"}],
    "chosen": [{"role": "assistant", "content": " yes"}],
    "rejected": [{"role": "assistant", "content": " no"}],
}


def test_a_text_is_a_message_where_there_is_a_template_and_a_text_where_there_is_none():
    spoken = chat.render(tokenizer(), one(SPOKEN))
    assert chat.render(tokenizer(), one(TEXTS)) == spoken
    assert spoken == chat.Rendered("<user>What?<end><assistant>", " yes<end>", " no<end>")
    assert chat.render(tokenizer(None), one(TEXTS)) == chat.Rendered(**TEXTS)
    with pytest.raises(
        ValueError, match="data, row 0 has a conversation, but the tokenizer has no"
    ):
        chat.render(tokenizer(None), one(SPOKEN))


@pytest.mark.parametrize("template", [None, TEMPLATE, chat.CHATML])
@pytest.mark.parametrize("begin", [None, "<bos>"])
def test_a_model_is_judged_on_the_prompt_that_it_was_trained_on(template, begin, tmp_path):
    asking = tokenizer(template)
    if begin is not None:
        asking.add_special_tokens({"bos_token": begin})
    model = stand_ins.model()
    model.resize_token_embeddings(len(asking))
    made = PreferenceTrainer(
        model,
        "cpo",
        PreferenceConfig(**tiny.arguments(tmp_path)),
        train_dataset=datasets.Dataset.from_list([TEXTS] * 2),
        processing_class=asking,
    )
    trained = made.train_dataset[0]
    start = next(n for n, label in enumerate(trained["chosen_labels"]) if label != -100)
    asked = chat.as_prompt(asking, TEXTS["prompt"])
    judged = asking(asked, add_special_tokens=False)["input_ids"]
    assert trained["chosen_input_ids"][:start] == judged
    assert asked.startswith(begin or "")


def test_a_recipe_sets_takes_away_or_keeps_the_template():
    for given, expected in (
        (None, TEMPLATE),
        ("chatml", chat.CHATML),
        ("none", None),
        ("{{ 1 }}", "{{ 1 }}"),
    ):
        asking = tokenizer()
        chat.set_template(asking, given)
        assert asking.chat_template == expected


LEAVES = "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}"
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system here') }}{% endif %}"
    "{% for m in messages %}{{ m.content }}{% endfor %}"
)
RULED = {**SPOKEN, "prompt": [{"role": "system", "content": "Be kind."}, *SPOKEN["prompt"]]}
TOOLED = {**SPOKEN, "tools": [SCHEMA]}
CALLED = {**SPOKEN, "chosen": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]}


@pytest.mark.parametrize(
    ("template", "given", "message"),
    [
        (LEAVES, RULED, "leaves out the system's message in prompt, the text 'Be kind.'"),
        (STRICT, RULED, "does not take this conversation: No system here"),
        (chat.CHATML, TOOLED, "leaves out tools, the text 'look_up'"),
        (chat.CHATML, CALLED, "leaves out a tool call in chosen"),
        ("chatlm", SPOKEN, "leaves out the user's message in prompt"),
        ("{% for", SPOKEN, "The chat template is not a template"),
        ("{{ messages.nothing.at_all }}", SPOKEN, "does not take this conversation"),
    ],
)
def test_a_template_that_loses_a_part_of_a_row_is_refused(template, given, message):
    with pytest.raises(ValueError) as caught:
        chat.render(tokenizer(template), one(given))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tools_and_calls_are_in_what_is_trained_on():
    found = chat.render(tokenizer(), one({**CALLED, "tools": json.dumps([SCHEMA])}))
    assert '"name": "look_up"' in found.prompt
    assert found.chosen == (
        '<call>{"type": "function", "function": {"name": "look_up", '
        '"arguments": {"what": "a \\"tent\\""}}}</call><end>'
    )


def test_thoughts_of_earlier_turns_may_be_left_out_and_those_of_the_answer_may_not():
    template = (
        "{% for m in messages %}{% set own = m.content %}{% if not loop.last and '</think>' in own "
        "%}{% set own = own.split('</think>')[-1] %}{% endif %}<{{ m.role }}>{{ own }}{% endfor %}"
    )
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "<think>hm</think>b"},
        {"role": "user", "content": "c"},
    ]
    answer = {"role": "assistant", "content": "<think>hm</think>d"}
    row = one({"chosen": [*turns, answer], "rejected": [*turns, {**answer, "content": "e"}]})
    assert chat.render(tokenizer(template), row).chosen == "<assistant><think>hm</think>d"
    with pytest.raises(ValueError, match="leaves out the assistant's message in chosen"):
        chat.render(tokenizer(template.replace("not loop.last and", "")), row)
