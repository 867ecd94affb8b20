"""Files of instructions and answers, and answers that a model gives."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language.judging import answers
from mirrorpo.language.judging.answers import Answer, Pair
from mirrorpo.language.models import chat, generation, loading
from mirrorpo.language.models.chat import CHATML

PROMPTS = ["Name a colour.", "Count to three, slowly.", "Hi.", "Why?", "What is new?"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '["One?", "Two?"]'),
        ("a.json", '[{"instruction": "One?", "dataset": "x"}, {"instruction": "Two?"}]'),
        ("a.jsonl", '{"instruction": "One?"}\n\n"Two?"\n'),
    ],
)
def test_instructions_are_texts_or_objects(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert answers.read_instructions(tmp_path / name) == ["One?", "Two?"]


def test_a_text_of_json_lines_may_hold_unusual_ends_of_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('"One\u2028and\u0085two?"\r\n"Three?"\r\n', encoding="utf-8")
    assert answers.read_instructions(path) == ["One\u2028and\u0085two?", "Three?"]


def test_answers_are_read_back_as_written(tmp_path):
    given = [Answer("One?", 'A "quoted"\nline — é', "me"), Answer("Two?", "", "me")]
    answers.write(tmp_path / "a.json", given)
    assert answers.read(tmp_path / "a.json") == given
    assert set(json.loads((tmp_path / "a.json").read_text())[0]) == {
        "instruction",
        "output",
        "generator",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read as JSON"),
        ("{}", "row 1 has no instruction and no output"),
        ("[]", "is not a file of answers: it holds no row"),
        ("null", "row 1 has no instruction and no output"),
        ('[{"instruction": "One?", "output": 3}]', "the output of row 1 is the number 3, but must"),
        (
            '[{"instruction": "One?", "output": "", "generator": ["me"]}]',
            "the generator of row 1 is a list of 1",
        ),
        (
            '[{"instruction": "One?", "output": "", "generator": "me"},'
            '{"instruction": "Two?", "output": "", "generator": "you"}]',
            "the generator of row 2 is 'you', and that of the rows before is 'me': a file holds",
        ),
        ('[{"instruction": "a", "instruction": "b", "output": ""}]', "'instruction' is there twi"),
        ('[{"instruction": "One?"}]', "row 1 has no output"),
        ('[{"text": "One?"}]', "row 1 has no instruction and no output"),
        (
            '[{"instruction": "One?", "output": "a"}, {"instruction": "One?", "output": "b"}]',
            "row 1 and row 2 have the same instruction",
        ),
    ],
)
def test_a_wrong_file_of_answers_says_what_is_wrong(text, message, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        answers.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.json", lambda frame, path: path.write_text("\ufeff" + frame.to_json(orient="records"))),
        ("a.JSON", lambda frame, path: frame.to_json(path, orient="records")),
        ("lines.json", lambda frame, path: frame.to_json(path, orient="records", lines=True)),
        ("list.jsonl", lambda frame, path: frame.to_json(path, orient="records")),
        (
            "a.jsonl.gz",
            lambda frame, path: frame.to_json(
                path, orient="records", lines=True, compression="gzip"
            ),
        ),
        ("a.csv", lambda frame, path: frame.to_csv(path, index=False)),
        ("a.parquet", lambda frame, path: frame.to_parquet(path)),
    ],
)
def test_answers_are_read_from_every_kind_of_file_and_not_from_a_hub(name, write, tmp_path):
    import pandas as pd

    from mirrorpo.language.judging.run import Contestant

    given = [Answer("One?", "a\nb", "me"), Answer("Two?", "c, d", "me")]
    write(pd.DataFrame([vars(answer) for answer in given]), tmp_path / name)
    assert answers.read(tmp_path / name) == given
    assert answers.read_instructions(tmp_path / name) == ["One?", "Two?"]
    assert Contestant(str(tmp_path / name)).is_file


def test_what_is_there_is_a_file_and_what_is_named_as_one_too(tmp_path):
    from mirrorpo.language.judging.run import Contestant

    (tmp_path / "answers.txt").write_text("[]")
    (tmp_path / "model.json").mkdir()
    assert Contestant(str(tmp_path / "answers.txt")).is_file
    assert Contestant(str(tmp_path / "gone.csv")).is_file
    assert not Contestant(str(tmp_path / "model.json")).is_file
    assert not Contestant("org/model-1.5").is_file


def test_a_name_is_one_line(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"instruction": "a", "output": "b", "generator": "x\n  y"}]))
    assert answers.read(path)[0].generator == "x y"


def test_answers_are_matched_by_their_instruction():
    first = [Answer("One?", "a", "x"), Answer("Two?", "b", "x")]
    second = [Answer("Two?", "d", "y"), Answer("One?", "c", "y")]
    assert answers.match(first, second) == [Pair("One?", "a", "c"), Pair("Two?", "b", "d")]


@pytest.mark.parametrize(("lost", "who"), [(0, "the model"), (1, "the baseline")])
def test_answers_that_do_not_match_are_refused(lost, who):
    both = [[Answer("One?", "a", "x"), Answer("Two?", "b", "x")] for _ in range(2)]
    both[lost].pop()
    with pytest.raises(ValueError, match=f"do not match: {who} has none to 1 .*'Two\\?'"):
        answers.match(*both)


@pytest.fixture(scope="module")
def loaded():
    return loading.load("smoke")


def decoding(**changes):
    return generation.Decoding(
        **{"max_new_tokens": 6, "temperature": 1.0, "batch_size": 2, **changes}
    )


def test_completions_go_on_after_a_kill_to_the_same_texts(loaded, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, of):
        if done >= 4:
            raise Killed

    whole = generation.complete(*loaded, PROMPTS, decoding(), tmp_path / "whole.jsonl")
    cut = tmp_path / "cut.jsonl"
    with pytest.raises(Killed):
        generation.complete(*loaded, PROMPTS, decoding(), cut, kill)
    before = cut.read_text()
    cut.write_text(before + '{"of": "a half-writ')
    assert generation.complete(*loaded, PROMPTS, decoding(), cut) == whole
    assert cut.read_text().startswith(before)
    assert len(whole) == len(PROMPTS)


def test_seeds_differ_and_temperature_zero_ignores_them(loaded, tmp_path):
    def drawn(**changes):
        name = f"{changes}.jsonl"
        return generation.complete(*loaded, PROMPTS, decoding(**changes), tmp_path / name)

    assert drawn(seed=0) != drawn(seed=1)
    assert drawn(seed=0, temperature=0.0) == drawn(seed=1, temperature=0.0)


def test_padding_does_not_change_a_greedy_completion(loaded, tmp_path):
    greedy = {"temperature": 0.0}
    together = generation.complete(
        *loaded, PROMPTS, decoding(batch_size=5, **greedy), tmp_path / "a"
    )
    alone = generation.complete(*loaded, PROMPTS, decoding(batch_size=1, **greedy), tmp_path / "b")
    assert together == alone


def test_completions_of_other_prompts_are_not_taken(loaded, tmp_path):
    generation.complete(*loaded, PROMPTS[:2], decoding(), tmp_path / "a")
    with pytest.raises(ValueError, match="holds completions of other prompts"):
        generation.complete(*loaded, PROMPTS[1:], decoding(), tmp_path / "a")


def test_a_prompt_that_fills_the_context_is_named(loaded, tmp_path):
    with pytest.raises(ValueError, match="has 600 tokens, but the model takes 512"):
        generation.complete(*loaded, ["a" * 600], decoding(), tmp_path / "a")


def test_a_chat_template_wraps_the_instruction_once(loaded):
    tokenizer = loading.load("smoke")[1]
    assert chat.as_prompt(tokenizer, "Hi.") == "Hi."
    tokenizer.chat_template = "<u>{{ messages[0]['content'] }}</u>"
    assert chat.as_prompt(tokenizer, "Hi.") == "<u>Hi.</u>"


@pytest.mark.parametrize(
    ("template", "kept"),
    [
        (CHATML, "It is 5."),
        ("{% for m in messages %}{{ m['content'] }}<eos>{% endfor %}", "It is 5.<|im_end|>\nAnd"),
        (None, "It is 5.<|im_end|>\nAnd"),
    ],
)
def test_an_answer_ends_where_the_template_ends_a_turn(template, kept):
    tokenizer = loading.load("smoke")[1]
    tokenizer.chat_template = template
    assert generation.without_turn_end(tokenizer, "It is 5.<|im_end|>\nAnd") == kept


def test_decoding_settings_that_come_with_a_model_are_off(tmp_path):
    plain, tokenizer = loading.load("smoke")
    found = generation.complete(plain, tokenizer, PROMPTS, decoding(), tmp_path / "plain")
    model, _ = loading.load("smoke")
    own = {"repetition_penalty": 50.0, "top_k": 1, "min_p": 0.9, "min_new_tokens": 6}
    model.generation_config.update(**own)
    assert generation.complete(model, tokenizer, PROMPTS, decoding(), tmp_path / "a") == found
    assert model.generation_config.repetition_penalty == 50.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_new_tokens", 0), ("batch_size", 0), ("temperature", -1), ("top_p", 0), ("seed", -1)],
)
def test_wrong_decoding_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        decoding(**{name: value})


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"The model .*none cannot be loaded") as caught:
        loading.load(str(tmp_path / "none"))
    assert "\n" not in str(caught.value)


def test_an_adapter_without_its_base_is_one_line(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="does not name its base model"):
        loading.load(str(tmp_path))


def test_a_fault_is_named_with_its_line_in_the_file(tmp_path):
    path = tmp_path / "answers.JSONL"
    good = '{"instruction": "Q%d", "output": "A"}'
    path.write_bytes(b"\xef\xbb\xbf" + f"{good % 1}\r\n\r\n{good % 2}\r\n[]\r\n".encode())
    with pytest.raises(ValueError, match=r"row 3 \(line 4\) has no instruction and no"):
        answers.read(path)
    path.write_text(f"{good % 1}\n\n{good % 2}\n{{\n")
    with pytest.raises(ValueError, match=r"line 4, column 2: cannot be read as JSON"):
        answers.read(path)
    path.write_text(f"{good % 1}\n\n{good % 1}\n")
    with pytest.raises(ValueError, match=r"row 1 and row 2 \(line 3\) have the same instruct"):
        answers.read(path)
    path.write_bytes(b"\xff\xfea\x00")
    with pytest.raises(ValueError, match="is written in UTF-16"):
        answers.read(path)


@pytest.mark.parametrize("key", ["instruction", "output", "generator"])
def test_half_a_surrogate_pair_is_refused_with_its_place(key, tmp_path):
    path = tmp_path / "answers.json"
    row = {"instruction": "Q", "output": "A", "generator": "m"}
    path.write_text(json.dumps([row, {**row, "instruction": "R", key: "cut \ud83d"}]))
    with pytest.raises(ValueError, match=rf"the {key} of row 2 holds '\\ud83d' at character 5"):
        answers.read(path)
