"""Rows: what is certain is converted and said, and the rest is refused in one line."""

import pytest

from mirrorpo.preference_texts import reading
from mirrorpo.preference_texts.reading import Reading


def user(text):
    return {"role": "user", "content": text}


def bot(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


Q, A, B = user("What?"), bot("yes"), bot("no")
RULES = system("Be kind.")


def read(*rows, **how):
    return reading.from_rows(rows, "data", Reading(**how))


def only(row, **how):
    """The parts of one row."""
    (found,) = read(row, **how).rows
    return found.prompt, found.chosen, found.rejected


def refused(*rows, **how):
    with pytest.raises(ValueError) as caught:
        read(*rows, **how)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [Q], "chosen": [A], "rejected": [B]},
        {"prompt": "What?", "chosen": [A], "rejected": [B]},
        {"prompt": [Q], "chosen": "yes", "rejected": "no"},
        {"prompt": Q, "chosen": A, "rejected": B},
        {"chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": None, "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": [], "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": "", "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": "What?", "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": " What?\n", "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": [Q], "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": [{"from": "human", "value": "What?"}], "chosen": [A], "rejected": [B]},
        {"prompt": [user([{"type": "text", "text": "What?"}])], "chosen": [A], "rejected": [B]},
        {"prompt": [user(["Wh", "at?"])], "chosen": [A], "rejected": [B]},
        {"prompt": [{**Q, "tool_calls": None, "id": 3}], "chosen": [A], "rejected": [B]},
        {
            "conversations": [{"from": "human", "value": "What?"}],
            "chosen": {"from": "gpt", "value": "yes"},
            "rejected": {"from": "gpt", "value": "no"},
        },
        {
            "chosen": "\n\nHuman: What?\n\nAssistant: yes",
            "rejected": "Human: What?\n\nAssistant: no",
        },
    ],
)
def test_one_pair_in_many_forms_is_one_pair(row):
    assert only(row) == ((Q,), (A,), (B,))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [RULES, Q], "chosen": [A], "rejected": [B]},
        {"prompt": [RULES], "chosen": [Q, A], "rejected": [Q, B]},
        {"prompt": "What?", "chosen": [RULES, A], "rejected": [RULES, B]},
        {"prompt": "What?", "chosen": [RULES, Q, A], "rejected": [RULES, Q, B]},
        {"prompt": [Q], "chosen": [RULES, Q, A], "rejected": [RULES, Q, B]},
        {"prompt": [RULES], "chosen": [RULES, Q, A], "rejected": [RULES, Q, B]},
        {"system": "Be kind.", "question": "What?", "chosen": [A], "rejected": [B]},
        {"system": "Be kind.", "conversations": [Q], "chosen": A, "rejected": B},
    ],
)
def test_a_system_message_stays_before_the_question(row):
    assert only(row) == ((RULES, Q), (A,), (B,))


def test_the_question_is_all_that_both_sides_share_and_the_answer_begins_where_they_part():
    turns = [Q, bot("Hm?"), user("That.")]
    assert only({"chosen": [*turns, A], "rejected": [*turns, B]}) == (tuple(turns), (A,), (B,))
    same = only({"chosen": [*turns, A], "rejected": [*turns, A]})
    assert same == (tuple(turns), (A,), (A,))
    thought = bot("Let me see.")
    both = only({"chosen": [Q, thought, A], "rejected": [Q, thought, B]})
    assert both == ((Q,), (thought, A), (thought, B))


def test_texts_stay_as_they_are():
    row = {"prompt": " a ", "chosen": "", "rejected": "\tc\n"}
    assert only(row) == (" a ", "", "\tc\n")
    assert read(row).notes == ("data: 1 of 2 answers are empty.",)


def test_texts_that_all_begin_with_their_prompt_are_answers_after_it():
    rows = [{"prompt": f"Q{n}?", "chosen": f"Q{n}? yes", "rejected": f"Q{n}? no"} for n in range(6)]
    found = read(*rows)
    assert [(row.chosen, row.rejected) for row in found.rows] == [(" yes", " no")] * 6
    assert found.notes == ("data: all rows: the answers begin with the prompt: it is taken once.",)
    rows[2]["rejected"] = "no"  # so the others quote their questions
    assert [row.chosen for row in read(*rows).rows] == [row["chosen"] for row in rows]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "chosen": 1.5, "rejected": "b"}, "chosen is the number 1.5"),
        ({"prompt": "a", "chosen": True, "rejected": "b"}, "chosen is true"),
        ({"prompt": "a", "chosen": "b", "rejected": {}}, "rejected is an empty object"),
        ({"prompt": "a", "chosen": ["b"], "rejected": ["c"]}, "chosen[0] is the text 'b'"),
        ({"prompt": "a", "chosen": b"b", "rejected": "c"}, "chosen is 1 bytes"),
        ({"prompt": "a", "chosen": "b", "rejected": [B]}, "write both as texts, or both as"),
        ({"prompt": None, "chosen": "a", "rejected": "b"}, "prompt is null"),
        ({"prompt": " \n", "chosen": "a", "rejected": "b"}, r"prompt is the text ' \n'"),
        ({"prompt": [], "chosen": "a", "rejected": "b"}, "prompt is an empty list"),
        ({"prompt": [], "chosen": [A], "rejected": [B]}, "there is no prompt"),
        ({"chosen": [A], "rejected": [B]}, "there is no prompt"),
        ({"prompt": [user("")], "chosen": [A], "rejected": [B]}, "the prompt's last message is"),
        ({"prompt": [RULES], "chosen": [A], "rejected": [B]}, "ends with a message of the role sy"),
        ({"prompt": [Q, bot("So,")], "chosen": [A], "rejected": [B]}, "role assistant: an answer"),
        ({"chosen": [RULES, A], "rejected": [RULES, B]}, "ends with a message of the role system"),
        (
            {"prompt": [Q], "chosen": [Q, A], "rejected": [B]},
            "chosen holds a message of the role u",
        ),
        (
            {"prompt": [Q], "chosen": [A, Q], "rejected": [B]},
            "chosen holds a message of the role u",
        ),
        ({"chosen": [Q, A], "rejected": [user("Why?"), B]}, "chosen holds a message of the role u"),
        ({"chosen": [Q], "rejected": [Q]}, "chosen holds a message of the role user"),
        ({"prompt": "Why?", "chosen": [Q, A], "rejected": [Q, B]}, "cannot decide which one"),
        (
            {"prompt": [user("Why?")], "chosen": [Q, A], "rejected": [Q, B]},
            "prompt is the text 'Why?', but chosen and rejected begin with the text 'What?'",
        ),
        ({"prompt": [Q], "chosen": [{"role": "bot", "content": "a"}], "rejected": [B]}, "'bot'"),
        ({"prompt": [Q], "chosen": [{"from": "me", "value": "a"}], "rejected": [B]}, "'me'"),
        (
            {"prompt": [Q], "chosen": [{"text": "a"}], "rejected": [B]},
            "chosen[0] has the keys text",
        ),
        ({"prompt": [Q], "chosen": [bot(None)], "rejected": [B]}, "chosen[0].content is null"),
        ({"prompt": [Q], "chosen": [bot(3)], "rejected": [B]}, "content is the number 3"),
        ({"prompt": [Q], "chosen": [bot(["a", 4])], "rejected": [B]}, "content[1] is the number 4"),
        (
            {"prompt": [user([{"type": "image"}])], "chosen": [A], "rejected": [B]},
            "prompt[0].content[0] is of the type the text 'image'",
        ),
        (
            {"prompt": [Q], "chosen": [bot(None, tool_calls=["f"])], "rejected": [B]},
            "chosen[0].tool_calls is a list of 1",
        ),
        (
            {
                "prompt": [Q],
                "chosen": [bot(None, tool_calls=[{"name": "f", "arguments": "{"}])],
                "rejected": [B],
            },
            "chosen[0].tool_calls[0].arguments is the text '{', which is not JSON",
        ),
        (
            {"prompt": [{**Q, "images": ["a.png"]}], "chosen": [A], "rejected": [B]},
            "prompt[0].images is a list of 1: only texts can be trained on",
        ),
        (
            {"prompt": [Q], "chosen": [bot("a", function_call={"name": "f"})], "rejected": [B]},
            "chosen[0].function_call is an object with name: write it as tool_calls",
        ),
        ({"prompt": "a\ud83d", "chosen": "b", "rejected": "c"}, "prompt holds half a character"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "tools": "[3"}, "tools is the text '[3'"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "tools": [3]}, "tools is a list of 1"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "image": {"bytes": b"x"}}, "image is an"),
    ],
)
def test_what_states_no_pair_is_refused_in_one_line_with_its_place(row, message):
    good = {"prompt": "a", "chosen": "b", "rejected": "c"}
    text = refused(good, row) if "prompt" in row else refused({"prompt": None, **row})
    assert message in text
    assert text.startswith("data, row ")


def test_calls_of_tools_keep_their_arguments_as_objects():
    call = {"type": "function", "function": {"name": "f", "arguments": '{"x": [1, "a"]}'}}
    found = only({"prompt": [Q], "chosen": [bot(None, tool_calls=[call])], "rejected": [B]})
    assert found[1][0]["content"] is None
    assert found[1][0]["tool_calls"][0]["function"]["arguments"] == {"x": [1, "a"]}


def test_tools_come_as_a_list_or_as_json():
    schema = {"type": "function", "function": {"name": "f"}}
    for tools in ([schema], '[{"type": "function", "function": {"name": "f"}}]'):
        (row,) = read({"prompt": "a", "chosen": "b", "rejected": "c", "tools": tools}).rows
        assert row.tools == (schema,)


@pytest.mark.parametrize("column", ["images", "image", "video", "audios"])
def test_media_are_refused_unless_they_are_empty_or_left_out(column):
    row = {"prompt": "a", "chosen": "b", "rejected": "c"}
    assert "only texts can be trained on" in refused({**row, column: ["a.png"]})
    for empty in (None, [], [None], ""):
        assert only({**row, column: empty}) == ("a", "b", "c")
    assert only({**row, column: ["a.png"]}, columns={column: None}) == ("a", "b", "c")


def test_columns_of_other_names():
    row = {"q": "a", "good": "b", "bad": "c", "chosen": "x"}
    names = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    assert only(row, columns=names) == ("a", "b", "c")
    turned = {"chosen": "rejected", "rejected": "chosen"}
    assert only({"prompt": "a", "chosen": "b", "rejected": "c"}, columns=turned) == ("a", "c", "b")
    text = refused(row, columns={"prompt": "question"})
    assert "columns: prompt is 'question', but data has the columns" in text


def test_columns_that_are_not_used_are_said_once():
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c", "id": n, "score": 2} for n in range(9)]
    assert read(*rows).notes == ("data: columns that are not used: id, score.",)


def test_shp_takes_the_better_answer_of_the_two():
    row = {"history": "a", "human_ref_A": "b", "human_ref_B": "c"}
    assert only({**row, "labels": 1}) == ("a", "b", "c")
    assert only({**row, "labels": 0}) == ("a", "c", "b")
    for label in (None, 2, True, "A"):
        assert "labels is" in refused({**row, "labels": label})


def test_kto_pairs_good_and_bad_answers_to_one_prompt_and_says_what_is_left():
    rows = [
        {"prompt": prompt, "completion": text, "label": label}
        for prompt, text, label in (
            ("a", "good", True),
            ("b", "bad", False),
            ("a", "bad", False),
            ("a", "worse", False),
        )
    ]
    assert "format=kto" in refused(*rows)
    found = read(*rows, format="kto")
    assert [(row.prompt, row.chosen, row.rejected) for row in found.rows] == [("a", "good", "bad")]
    assert found.notes[-1] == "data: 2 of 4 answers have no partner: left out."
    assert "no prompt has a good answer and a bad one" in refused(*rows[:2], format="kto")
    assert "label is the number 3" in refused({**rows[0], "label": 3}, format="kto")


def test_a_named_layout_is_held_to():
    row = {"prompt": "a", "chosen": "b", "rejected": "c"}
    assert only(row, format="pairs") == ("a", "b", "c")
    assert "is not in the layout orca: it has no column question" in refused(row, format="orca")
    assert "in the layout hh it begins with 'Human:'" in refused(row, format="hh")
    turns = {side: f"Human: What?\n\nAssistant: {side}" for side in ("chosen", "rejected")}
    text = refused(turns, turns, {**turns, "chosen": "yes"})
    assert text.startswith("data, row 2: chosen is the text 'yes', but in the layout hh")
    with pytest.raises(ValueError, match="format is 'dpo', but must be one of auto, pairs, hh"):
        Reading("dpo")


def test_columns_of_no_layout_are_named_with_what_to_set():
    text = refused({"instruction": "a", "better": "b", "worse": "c"})
    assert "this one has instruction, better, worse" in text
    assert "Name its layout by format (pairs, hh, orca, sharegpt, shp, kto), or its columns" in text
    text = refused({"chosen": "a", "rejected": "b"})
    assert "data has no column prompt" in text
    assert "chosen begins with 'a'" in text


def test_a_long_value_and_many_columns_are_shown_shortly():
    row = {"prompt": "a" * 9999, "chosen": None, "rejected": "b"}
    assert len(refused({**row, **{f"column {n}": 1 for n in range(500)}})) < 300
    assert "and 497 more" in refused({f"column {n} {'x' * 200}": 1 for n in range(500)})
