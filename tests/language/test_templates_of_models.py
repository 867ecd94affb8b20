"""The chat templates that well-known models ship, as TRL keeps them, under the rule of `chat`."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import trl

from mirrorpo.language.models import chat, generation
from mirrorpo.language.training import rows
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
    "idefics3",
    "smolvlm",
    "llava_next",
)
OF_PARTS = ("idefics3", "smolvlm", "llava_next")  # write nothing of a content that is a text
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


def written(name, messages):
    """What a model's own template writes, given contents as it takes them."""
    if name in OF_PARTS:
        messages = [
            {**message, "content": [{"type": "text", "text": message["content"]}]}
            for message in messages
        ]
    return asking(name).apply_chat_template(messages, tokenize=False)


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
        assert found.prompt + side == written(name, [*prompt, answer])
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
    assert asked == chat.begun(asking(name), found.prompt)
    assert found.unwritten == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_row_whose_contents_are_lists_of_text_parts_is_the_same_row(name):
    prompt, chosen, rejected = (
        [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in part]
        for part in ([user("What is it?")], [assistant("Yes.")], [assistant("No.")])
    )
    found = rendered(name, prompt, *chosen, *rejected)
    assert found == rendered(name, *CONVERSATIONS["one turn"])


@pytest.mark.parametrize("name", [*NAMES, "deepseekv3", "nemotron_3_nano"])
@pytest.mark.parametrize("answers", [("<b>yes</b>", "<b>no</b>"), ("", ""), ("</think", "[no]")])
def test_no_token_and_no_answer_is_cut_where_the_answers_begin_as_the_question_ends(name, answers):
    asked, (chosen, rejected) = [user("What is it?")], map(assistant, answers)
    found = rendered(name, asked, chosen, rejected)
    for side, answer in ((found.chosen, chosen), (found.rejected, rejected)):
        assert found.prompt + side == written(name, [*asked, answer])
        assert answer["content"] in side
    assert found.prompt.rfind("<") <= found.prompt.rfind(">")


def test_a_question_that_is_never_asked_so_before_the_answers_is_counted(caplog):
    texts = reading.from_rows([{"prompt": "What?", "chosen": "Yes.", "rejected": "No."}], "data")
    for name, ends in (("qwen3_5_think", False), ("deepseekv3", True)):
        caplog.clear()
        rows.rendered(texts, asking(name))
        said = r"asks for an answer with '<think>\n', which it does not write before the answers of"
        assert (said in caplog.text) is ends
        assert ("1 of 1 pairs" in caplog.text) is ends


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keeps_special_tokens", [True, False])
def test_an_answer_to_judge_is_what_the_model_says_and_no_mark_of_the_template(
    name, keeps_special_tokens
):
    made = asking(name)
    whole = written(name, [user("What is it?"), assistant("Yes, it is.")])
    said = chat.begun(made, whole).removeprefix(chat.as_prompt(made, "What is it?"))
    marks = [] if keeps_special_tokens else ["<|channel|>", "<|message|>"]
    made.add_special_tokens({"additional_special_tokens": marks})
    for mark in marks:  # as a completion is decoded
        said = said.replace(mark, "")
    assert generation.without_turn(made, said).strip() == "Yes, it is."
    assert generation.without_turn(made, "It is <so>.") == "It is <so>."


def test_a_template_that_fails_or_loses_the_question_is_one_line_when_a_model_is_asked():
    for template, message in (
        ("{{ raise_exception('Not\nso') }}", "does not take this conversation: Not so"),
        ("nothing", "leaves out the user's message, the text 'What'"),
        ("{% for", "The chat template is not a template"),
    ):
        with pytest.raises(ValueError) as caught:
            chat.as_prompt(tokenizer(template), "What")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


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
