"""What a model reads of a row: prompts in prompts and answers in answers, as TRL has it."""

import copy
import itertools
import re

import hypothesis
import pytest
from hypothesis import strategies as some

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets
import trl.data_utils

from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import chat, stand_ins
from mirrorpo.language.training import rows
from mirrorpo.preference_texts import reading

from . import tiny
from .chat_rows import CALL, SCHEMA, TEMPLATE, tokenizer


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
