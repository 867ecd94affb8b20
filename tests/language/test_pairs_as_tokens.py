"""What a model reads of a row: prompts in prompts and answers in answers, as TRL has it."""

import copy
import itertools
import json
import logging
import re

import hypothesis
import pytest
from hypothesis import strategies as some

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets
import trl.data_utils

from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import chat, loading, stand_ins
from mirrorpo.language.training import rows
from mirrorpo.preference_texts import reading

from . import tiny

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


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """One trainer, for its way to tokenise; the smallest that there is."""
    return PreferenceTrainer(
        stand_ins.model(),
        "cpo",
        PreferenceConfig(**tiny.arguments(tmp_path_factory.mktemp("run"), max_length=4096)),
        train_dataset=datasets.Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}]),
        processing_class=tokenizer(),
    )


def tokens(trainer, texts, template):
    """Prompt and answer of either side of one row, as the texts of its tokens, end tokens out."""
    found = trainer.tokenize_row({"place": "row", **texts})
    parts = {}
    for side in ("chosen", "rejected"):
        ids, labels = found[f"{side}_input_ids"], found[f"{side}_labels"]
        start = next(n for n, label in enumerate(labels) if label != -100)
        assert labels[start:] == ids[start:], "an answer is trained on to its end"
        decode = trainer.processing_class.decode
        parts[side] = decode(ids[:start]), decode(ids[start:])
    return parts, {name: found[name] for name in rows.TOKENS}


word = some.sampled_from(["tent", "lamp", "is it?", " ", "\n", "é\u2028", "[/INST]", "<end", "'"])
text = some.lists(word, min_size=1, max_size=4).map("".join)
strange = some.one_of(text, some.just(""), some.none())


def spoken(role, said):
    return {"role": role, "content": said}


@some.composite
def anything(draw):
    """A side of a row that is often wrong: few or odd messages, nothing, a text."""
    roles = some.sampled_from(["assistant", "assistant", "user", "system", "tool", "bot"])
    turns = some.lists(some.builds(spoken, roles, strange), max_size=3)
    return draw(some.one_of(turns, turns, strange))


@some.composite
def answer(draw):
    made = spoken("assistant", draw(some.one_of(text, text, some.just(""))))
    if draw(some.integers(0, 5)) == 0:
        made |= {"tool_calls": [copy.deepcopy(CALL)], "content": draw(strange)}
    return [made]


@some.composite
def row(draw):
    """A row of one of the shapes that people have, and now and then of a shape that is wrong."""
    question = [spoken("user", f"Q {draw(text)}")]
    if draw(some.booleans()):
        question.insert(0, spoken("system", f"S {draw(text)}"))
    if draw(some.integers(0, 3)) == 0:
        earlier = spoken("assistant", f"E {draw(text)}")
        question = [*question, earlier, spoken("user", f"R {draw(text)}")]
    made = {"prompt": question, "chosen": draw(answer()), "rejected": draw(answer())}
    again = draw(some.sampled_from([None, None, question, question[-1:], question[:1]]))
    if again is not None:  # the prompt, or a part of it, stands in the conversations too
        made |= {side: [*again, *made[side]] for side in ("chosen", "rejected")}
        if draw(some.booleans()):
            del made["prompt"]
    shape = draw(
        some.sampled_from(["messages", "messages", "texts", "text prompt", "text answers"])
    )
    if shape in ("texts", "text prompt") and "prompt" in made:
        made["prompt"] = question[-1]["content"]
    if shape in ("texts", "text answers"):
        made |= {side: draw(text) for side in ("chosen", "rejected")}
    if draw(some.integers(0, 4)) == 0:
        made["tools"] = [SCHEMA]
    if draw(some.integers(0, 4)) == 0:
        made[draw(some.sampled_from(["prompt", "chosen", "rejected"]))] = draw(anything())
    return copy.deepcopy(made)


def contents(value):
    """All that a side of a row says."""
    if isinstance(value, str):
        return [value]
    return [message["content"] or "" for message in value or []]


def said_last(value):
    """What the assistant says last in a side of a row, as the template writes it: no more and no
    less is the answer."""
    if isinstance(value, str):
        return f"{value}<end>"
    turns = itertools.takewhile(lambda message: message["role"] == "assistant", reversed(value))
    return "<assistant>".join(f"{turn['content'] or ''}<end>" for turn in [*turns][::-1])


def of_trl(trainer, given):
    """TRL's own tokens of a row; None where it fails."""
    raw = {name: copy.deepcopy(given[name]) for name in given if name != "tools"}
    try:
        texts = trl.data_utils.maybe_apply_chat_template(
            trl.data_utils.maybe_extract_prompt(raw), trainer.processing_class
        )
        return tokens(trainer, texts, TEMPLATE)
    except Exception:
        return None


def looked_at(trainer, given):
    """See that a row is refused in one line, or that all it says is where it belongs."""
    refusal = ""
    try:
        (checked,) = reading.from_rows([given], "data").rows
        written = vars(chat.render(trainer.processing_class, checked))
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert refusal.startswith("data")
        return None
    parts, found = tokens(trainer, written, TEMPLATE)
    for side, (prompt, answer) in parts.items():
        own = contents(given[side])[-1]
        written = re.sub(r"<call>.*?</call>", "", answer.removesuffix("<eos>"))
        assert written == said_last(given[side])
        assert "None" not in prompt, "nothing is no word"
        asked = [said for said in contents(given.get("prompt")) if said.strip()]
        assert all(said.strip() in prompt for said in asked)
        assert prompt.endswith("<assistant>"), "an answer is all that follows"
        assert own in answer
        assert answer.count("<end>") == answer.count("<assistant>") + 1
        for role in ("user", "system", "tool"):
            assert f"<{role}>" not in answer, "an answer is the assistant's alone"
        for said in asked:
            assert not said.startswith(("Q ", "R ", "S ")) or said not in answer or said in own
        calls = sum("tool_calls" in m for m in given[side] if isinstance(m, dict))
        assert answer.count("<call>") == calls
        assert ("look_up" in prompt) == ("tools" in given)
    return found


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(row())
def test_prompts_are_in_prompts_and_answers_in_answers(trainer, given):
    check_against_trl(trainer, given)


@pytest.mark.slow
@hypothesis.settings(
    max_examples=5000, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(row())
def test_prompts_are_in_prompts_and_answers_in_answers_in_many_rows(trainer, given):
    check_against_trl(trainer, given)


def check_against_trl(trainer, given):
    ours = looked_at(trainer, copy.deepcopy(given))
    theirs = of_trl(trainer, given)
    sides = [given[side] for side in ("chosen", "rejected")]
    conversations = all(isinstance(side, list) for side in sides)
    if ours is None or theirs is None or not conversations or "tools" in given:
        return
    if any("tool_calls" in message for side in sides for message in side):
        return  # TRL writes their arguments, which are JSON, as a text in JSON
    parts, found = theirs
    if not any(f"{role}>" in part[1] for role in ("user", "system") for part in parts.values()):
        assert ours == found


def test_the_property_sees_both_kinds_of_rows(trainer):
    good = {"prompt": [{"role": "user", "content": "Q a"}]}
    good |= {
        side: [*good["prompt"], {"role": "assistant", "content": side}]
        for side in ("chosen", "rejected")
    }
    assert looked_at(trainer, good) is not None
    wrong, found = of_trl(trainer, good)
    assert "user>Q a<end>" in wrong["chosen"][1], "TRL trains the question as the answer"
    assert found != looked_at(trainer, good)
    assert looked_at(trainer, {**good, "chosen": None}) is None


# The rule of chat templates


def one(row):
    (found,) = reading.from_rows([row], "data").rows
    return found


TEXTS = {"prompt": "What?", "chosen": " yes", "rejected": " no"}
SPOKEN = {
    "prompt": [{"role": "user", "content": "What?"}],
    "chosen": [{"role": "assistant", "content": " yes"}],
    "rejected": [{"role": "assistant", "content": " no"}],
}


def test_a_text_is_a_message_where_there_is_a_template_and_a_text_where_there_is_none():
    spoken = chat.render(tokenizer(), one(SPOKEN))
    assert chat.render(tokenizer(), one(TEXTS)) == spoken
    assert spoken == chat.Rendered("<user>What?<end><assistant>", " yes<end>", " no<end>")
    assert vars(chat.render(tokenizer(None), one(TEXTS))) == TEXTS
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


# What a trainer does with rows


def test_a_tokenizer_without_a_padding_token_gets_one(tmp_path):
    folder = tmp_path / "model"
    asking = stand_ins.tokenizer()
    asking.pad_token = None
    asking.save_pretrained(folder)
    stand_ins.model().save_pretrained(folder)
    for given in ({"model": str(folder)}, {"model": loading.load(str(folder))[0]}):
        made = PreferenceTrainer(
            objective="cpo",
            args=PreferenceConfig(**tiny.arguments(tmp_path)),
            train_dataset=datasets.Dataset.from_list([TEXTS, {**TEXTS, "chosen": "much more"}]),
            **given,
        )
        made.train()
        assert made.processing_class.pad_token == "<eos>"
    assert loading.load(str(folder))[1].pad_token == "<eos>"
    asking.eos_token = None
    with pytest.raises(ValueError, match="neither a padding token nor one that ends a text"):
        loading.with_padding(asking)


def test_answers_that_are_cut_are_counted(tmp_path, caplog):
    data = [{**TEXTS, "chosen": "y" * length} for length in (1, 40, 50)]
    with caplog.at_level(logging.WARNING):
        PreferenceTrainer(
            stand_ins.model(),
            "cpo",
            PreferenceConfig(**tiny.arguments(tmp_path, max_length=30)),
            train_dataset=datasets.Dataset.from_list(data),
            processing_class=tokenizer(None),
        )
    assert "train_dataset: 2 chosen and 0 rejected answers of 3 pairs do not fit" in caplog.text


def test_a_trainer_takes_hub_layouts_too_and_names_a_wrong_row(tmp_path, caplog):
    data = [
        {"question": f"{n}?", "system": "", "chosen": "yes", "rejected": "no"} for n in range(3)
    ]

    def made(given):
        return PreferenceTrainer(
            stand_ins.model(),
            "cpo",
            PreferenceConfig(**tiny.arguments(tmp_path)),
            train_dataset=datasets.Dataset.from_list(given),
            processing_class=tokenizer(),
        )

    with caplog.at_level(logging.WARNING):
        ids = made(data).train_dataset[1]["chosen_input_ids"]
    assert caplog.text.count("train_dataset: read in the layout orca: question is the prompt") == 1
    assert tokenizer().decode(ids) == "<user>1?<end><assistant>yes<end><eos>"
    with pytest.raises(ValueError, match="train_dataset, row 2: rejected is null"):
        made([*data[:2], {**data[2], "rejected": None}])
