"""Reading is bounded: in size, in depth, and in what a short text may stand for."""

import gzip
import io
import json
import time
import tracemalloc

import pytest

from mirrorpo import array_files, bounded, files
from mirrorpo.language.align import recipe
from mirrorpo.objectives import load


class Endless(io.RawIOBase):
    """An answer that never ends, and counts what was read of it."""

    def __init__(self):
        self.given = 0

    def read(self, size=-1):
        assert size >= 0, "a read without a limit"
        self.given += size
        return b"x" * size


def test_no_more_is_read_of_a_stream_than_the_limit():
    stream = Endless()
    with pytest.raises(ValueError, match="The answer is longer than 3 MiB, the most that is read"):
        bounded.read_at_most(stream, 3 * bounded.MEBIBYTE, "The answer")
    assert stream.given == 3 * bounded.MEBIBYTE + 1
    exact = io.BytesIO(b"x" * 1000)
    assert bounded.read_at_most(exact, 1000, "The answer") == b"x" * 1000


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 5000 + "]" * 5000, '{"a":' * 200 + "1" + "}" * 200]
)
def test_json_that_is_nested_too_deep_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="nested more than 100 deep") as caught:
        files.read_json(path, "a run's configuration")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        load(path)


def test_depth_is_of_values_and_not_of_letters_in_strings():
    text = json.dumps({"a": ["[" * 5000 + '\\"{{' * 200, "\\" * 3], "b": [[]] * 500})
    assert bounded.parse_json(text) == json.loads(text)


def test_a_number_of_thousands_of_digits_is_no_traceback(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"settings": ' + "9" * 10_000 + "}")
    with pytest.raises(ValueError, match="is not valid JSON"):
        files.read_json(path, "a run's configuration")


def test_a_document_has_a_largest_size(tmp_path, monkeypatch):
    path = tmp_path / "card.json"
    path.write_text(json.dumps({"notes": "x" * 5000}))
    monkeypatch.setattr(bounded, "read_text", lambda path, what: old(path, what, 4000))
    with pytest.raises(ValueError, match="longer than 3 KiB"):
        files.read_json(path, "a card")


old = bounded.read_text


def test_a_large_card_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "agent.safetensors"
    size = 85 * 10**6
    with path.open("wb") as file:
        file.write(size.to_bytes(8, "little"))
        file.truncate(size + 8)
    tracemalloc.start()
    with pytest.raises(ValueError, match="a header of 81 MiB, more than 16 MiB"):
        array_files.load_card(path, "mirrorpo-agent", "an agent")
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def laughs(levels, width=9):
    lines = ["a0: &a0 [x]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]")
    return "\n".join(lines)


def chain(levels):
    return "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, levels))])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (laughs(10), "more than 100,000 values"),
        ("x: &a [*a]", "within its own anchor"),
        ("a: &a {x: 1}\n" + "b: &b {y: " + "[" * 2000 + "]" * 2000 + "}", "nested more than 100"),
        ("[" * 100_000, "nested more than 100"),
        ("a: &a {b: &b {c: *a}}", "within its own anchor"),
        (chain(2000), "nested more than 100"),
        ("x: " + "y" * 300_000, "longer than 256 KiB"),
        ("x: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
    ],
)
def test_a_yaml_bomb_is_one_line_at_once(tmp_path, text, told):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(ValueError, match=told) as caught:
        recipe.load(path)
    assert time.process_time() - began < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))


def test_aliases_that_stand_for_little_are_followed():
    assert bounded.parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }


def test_recipes_that_include_each_other_many_times_are_refused(tmp_path):
    for level in range(12):
        included = f"[{', '.join([f'{level + 1}.yaml'] * 9)}]" if level < 11 else "[]"
        (tmp_path / f"{level}.yaml").write_text(f"include: {included}\nobjective: dpo\n")
    with pytest.raises(ValueError, match="includes more than 100 files"):
        recipe.load(tmp_path / "0.yaml")


def test_of_a_gzip_bomb_little_is_unpacked():
    bomb = gzip.compress(bytes(300 * bounded.MEBIBYTE), 9)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"x\.gz, unpacked, is longer than"):
        bounded.unpack(bomb, "x.gz")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 150 * bounded.MEBIBYTE


def test_a_packed_text_is_unpacked_whole():
    text = b"It was good. " * 1000
    assert bounded.unpack(gzip.compress(text), "x.gz") == text


@pytest.mark.parametrize(
    "text", ["a: 1\nb: 2\na: 3", "x:\n  a: 1\n  a: 1", "- {a: 1, a: 2}", '"a": 1\na: 2']
)
def test_a_key_that_yaml_would_take_the_last_of_is_refused(text):
    with pytest.raises(ValueError, match="the key 'a' is there twice in one mapping: keep one"):
        bounded.parse_yaml(text)


def test_yaml_of_control_characters_is_one_line():
    with pytest.raises(ValueError, match="special characters are not allowed"):
        bounded.parse_yaml("\x00" * 100)
