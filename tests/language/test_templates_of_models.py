"""The chat templates that well-known models ship, as TRL keeps them, under the rule of `chat`."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import trl

from mirrorpo.language.models import chat
from mirrorpo.preference_texts import reading

from .chat_rows import SCHEMA, tokenizer

FOLDER = Path(trl.__file__).parent / "chat_templates"
# Each asks for an answer in its own way: a bare mark, a mark and an opened thought, a channel.
NAMES = (
    "gemma",
    "gemma3",
    "llama3",
    "llama3_1",
    "phi3",
    "qwen2_5",
    "qwen3",
    "qwen3_5_think",
    "glm4moe",
    "gptoss",
)
THINKING = ("qwen3", "qwen3_5_think", "glm4moe", "gptoss")
WITH_TOOLS = ("llama3_1", "qwen2_5", "qwen3", "qwen3_5_think", "glm4moe", "gptoss")


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


TOOL = {"type": "function", "function": {**SCHEMA["function"], "description": "Looks it up."}}
CALL = {"type": "function", "function": {"name": "look_up", "arguments": {"what": "a tent"}}}
CONVERSATIONS = {
    "one turn": ([user("What is it?")], assistant("Yes."), assistant("No.")),
    "three turns": (
        [user("Hi."), assistant("Hello."), user("What is it?")],
        assistant("Yes."),
        assistant("No."),
    ),
    "a thought in the text": (
        [user("What is it?")],
        assistant("<think>\nwarm\n</think>\n\nYes."),
        assistant("<think>\ncold\n</think>\n\nNo."),
    ),
    "a thought apart": (
        [user("What is it?")],
        assistant("Yes.", reasoning_content="warm"),
        assistant("No.", reasoning_content="cold"),
    ),
}


def asking(name):
    return tokenizer((FOLDER / f"{name}.jinja").read_text(), bos_token="<bos>")


def rendered(name, prompt, chosen, rejected, **more):
    given = {"prompt": prompt, "chosen": [chosen], "rejected": [rejected], **more}
    (row,) = reading.from_rows([given], "data").rows
    return chat.render(asking(name), row)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_prompt_and_answer_together_are_what_the_models_own_template_writes(name, kind):
    prompt, chosen, rejected = CONVERSATIONS[kind]
    if kind == "a thought apart" and name not in THINKING:
        with pytest.raises(ValueError, match="leaves out the assistant's message in chosen"):
            rendered(name, prompt, chosen, rejected)
        return
    found = rendered(name, prompt, chosen, rejected)
    for side, answer in ((found.chosen, chosen), (found.rejected, rejected)):
        whole = asking(name).apply_chat_template([*prompt, answer], tokenize=False)
        assert found.prompt + side == whole
    assert "What is it?" in found.prompt
    assert "Yes." in found.chosen
    assert "No." in found.rejected
    if "thought" in kind:
        assert "warm" in found.chosen
        assert "cold" in found.rejected


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_asked_what_it_was_trained_to_answer(name):
    prompt, chosen, rejected = CONVERSATIONS["one turn"]
    found = rendered(name, prompt, chosen, rejected)
    asked = chat.as_prompt(asking(name), "What is it?")
    assert asked.startswith(chat.begun(asking(name), found.prompt))


@pytest.mark.parametrize("name", NAMES)
def test_tools_and_calls_are_written_or_refused_never_lost(name):
    prompt, _, rejected = CONVERSATIONS["one turn"]
    arguments = prompt, assistant("", tool_calls=[CALL]), rejected
    if name in WITH_TOOLS:
        found = rendered(name, *arguments, tools=[TOOL])
        assert "look_up" in found.prompt
        assert "look_up" in found.chosen
        assert "a tent" in found.chosen
    else:
        with pytest.raises(ValueError, match="leaves out tools"):
            rendered(name, *arguments, tools=[TOOL])


def test_a_template_that_drops_thoughts_is_refused_for_answers_that_think():
    with pytest.raises(ValueError, match="leaves out the assistant's message in chosen"):
        rendered("deepseek_r1_distill", *CONVERSATIONS["a thought in the text"])


def test_a_system_message_is_refused_where_the_model_has_none():
    _, chosen, rejected = CONVERSATIONS["one turn"]
    ruled = [{"role": "system", "content": "Be kind."}, user("What is it?")]
    with pytest.raises(ValueError, match="System role not supported"):
        rendered("gemma", ruled, chosen, rejected)
    assert "Be kind." in rendered("gemma3", ruled, chosen, rejected).prompt
