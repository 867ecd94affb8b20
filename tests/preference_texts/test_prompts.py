"""Files of prompts: every kind of file gives the same prompts, and every fault one line."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mirrorpo.language.text_task.prompts.halves import split
from mirrorpo.preference_texts.prompts import read

TEXTS = ["What is 2 plus 3?", "Name a colour, please."]
CHAT = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello\u2028you"}]


def write(folder, name, content):
    path = Path(folder) / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8")
    return path


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\n".join(TEXTS) + "\n\n"),
        ("b.txt", "\r\n".join(["", *TEXTS])),
        ("c.jsonl", lines({"prompt": text, "extra": 1} for text in TEXTS)),
        ("d.jsonl", lines({"instruction": text} for text in TEXTS)),
        ("e.json", json.dumps(TEXTS)),
        ("f.csv", pd.DataFrame({"prompt": TEXTS}).to_csv(index=False)),
        ("g.tsv", pd.DataFrame({"prompt": TEXTS, "x": 1}).to_csv(index=False, sep="\t")),
    ],
)
def test_every_kind_of_file_gives_the_same_texts(name, content, tmp_path):
    assert [prompt.said for prompt in read(write(tmp_path, name, content))] == TEXTS


def test_a_table_and_json_in_csv_give_the_same_conversations(tmp_path):
    frame = pd.DataFrame({"messages": [CHAT]})
    frame.to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"prompt": [json.dumps(CHAT)]}).to_csv(tmp_path / "b.csv", index=False)
    write(tmp_path, "c.jsonl", lines([{"messages": CHAT}]))
    found = [read(tmp_path / name) for name in ("a.parquet", "b.csv", "c.jsonl")]
    for (prompt,) in found:
        assert prompt.plain == CHAT
        assert json.loads(prompt.question) == CHAT


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "", "a.jsonl holds no prompts"),
        ("a.txt", "\n \n", "a.txt holds no prompts"),
        ("a.json", "[]", "a.json holds no prompts"),
        ("a.csv", "prompt\n", "a.csv holds no prompts"),
        ("a.jsonl", lines([{"prompt": None}]), "row 1: prompt is null: every row needs"),
        ("a.jsonl", lines([{"prompt": "b"}, {"prompt": " "}]), "row 2: prompt is the text ' '"),
        ("a.csv", 'prompt,x\n"",1\n', "row 1 (line 2): prompt is null"),
        ("a.jsonl", lines([{"text": "b"}]), "row 1 has no prompt: its columns are text"),
        ("a.jsonl", lines([{"prompt": 3}]), "row 1: prompt is the number 3, but must be a text"),
        (
            "a.jsonl",
            lines([{"prompt": "b", "messages": CHAT}]),
            "has prompt and messages: MirrorPO cannot decide which one",
        ),
        ("a.jsonl", lines([{"prompt": "b"}, {"prompt": "c"}, {"prompt": "b"}]), "and row 3 have"),
        ("a.txt", "b\nc\n b \n", "a.txt, row 1 and row 3 have the same prompt"),
        ("a.jsonl", lines([{"messages": [*CHAT, {"role": "assistant", "content": "x"}]}]), "ends"),
        ("a.jsonl", lines([{"prompt": "b", "images": ["c.png"]}]), "images is a list of 1, and"),
        ("a.jsonl", lines([{"prompt": "b", "tools": [{"name": "c"}]}]), "tools is a list of 1"),
        ("a.json", "[3]", "row 1 is the number 3"),
        ("a.txt", b"\xff\xfebad\x00", "a.txt"),
        ("a.docx", "b", "its name must end in .txt"),
    ],
)
def test_a_fault_of_a_file_is_one_line_that_names_the_row(name, content, said, tmp_path):
    with pytest.raises(ValueError) as caught:
        read(write(tmp_path, name, content))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"no file of prompts at .*none.jsonl"):
        read(tmp_path / "none.jsonl")


def test_the_halves_share_no_prompt_and_the_order_of_the_file_does_not_matter(tmp_path):
    texts = [f"Prompt {number}" for number in range(23)]
    given = read(write(tmp_path, "a.txt", "\n".join(texts)))
    found = split("a.txt", given, 0)
    halves = [[prompt.said for prompt in half] for half in (found.training, found.tested)]
    assert [len(half) for half in halves] == [19, 4]
    assert sorted(halves[0] + halves[1]) == sorted(texts)
    again = split("a.txt", given[::-1], 0)
    assert [prompt.said for prompt in again.tested] == halves[1]
    assert [prompt.said for prompt in split("a.txt", given, 1).tested] != halves[1]
    with pytest.raises(ValueError, match=r"4 test prompts in a.txt: ask for 1 to 4, not 5"):
        found.test(5)
    with pytest.raises(ValueError, match=r"holds 9 prompts, and a bench needs at least 10"):
        split("a.txt", given[:9], 0)
