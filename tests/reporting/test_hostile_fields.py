"""Every text that a run folder's JSON holds, replaced by one that means harm: it is shown as text,
or it costs the run's own part of the page, and nothing of it runs."""

import json
import random
import re

import pytest

from mirrorpo.reporting.page import reading, render
from tests.reporting.hostile_folders import CONTROL, FORMULAS, TEXTS, whole_runs, write_code
from tests.reporting.test_hostile_folders import Elements

SHORT = 8
"""Fields of the fast suite; the slow one takes all."""

PATHS = ("../../../../etc/passwd", "/dev/zero", "file:///etc/passwd", "__proto__", "x" * 100_000)
FORBIDDEN = {"iframe", "object", "embed", "form", "base", "svg"}


def texts(node, place=()):
    """The places of all texts in a JSON value, keys of objects included."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        if isinstance(key, str):
            yield (*place, key), True
        if isinstance(value, str):
            yield (*place, key), False
        elif isinstance(value, dict | list):
            yield from texts(value, (*place, key))


def replaced(document, place, is_key, text):
    """A JSON value with another text in one place."""
    document = json.loads(json.dumps(document))
    node = document
    for key in place[:-1]:
        node = node[key]
    if is_key:
        node[text] = node.pop(place[-1])
    else:
        node[place[-1]] = text
    return document


def hostile_fields(runs, evil):
    """(run, file, content, place): every text of every JSON file of some runs, with one of the
    payloads in its turn; of a log its first line's."""
    payloads = [*TEXTS, CONTROL, f"{evil}:X", f"{evil}:X[a=1]", *FORMULAS[:5], *PATHS]
    number = 0
    for run in runs.values():
        for path in sorted([*run.rglob("*.json"), *run.rglob("*.jsonl")]):
            first, _, rest = path.read_text("utf-8").partition("\n")
            whole = path.suffix == ".json"
            document = json.loads(path.read_text("utf-8") if whole else first)
            for place, is_key in texts(document):
                text = payloads[number % len(payloads)]
                number += 1
                changed = json.dumps(replaced(document, place, is_key, text))
                yield run, path, changed if whole else f"{changed}\n{rest}", (place, text[:60])


def check_harmless(page):
    found = Elements(page).found
    tags = [tag for tag, _ in found]
    assert tags.count("script") == len(render._scripts()) + 2  # and two blocks of data
    assert not FORBIDDEN & set(tags)
    assert tags.count("meta") == 3
    for tag, attributes in found:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "action", "xlink:href"):
            address = attributes.get(name, "#")
            assert address.startswith(("#", "data:image/", "data:,")), (tag, address[:80])


def shown_of(fields):
    """How many fields' runs are shown whole, and how many cost their own part."""
    shown = damaged = 0
    for run, path, content, _ in fields:
        before = path.read_bytes()
        path.write_text(content, "utf-8")
        refusal = None
        try:
            parts = reading.sound(reading.read([run]), render.attempt)
        except ValueError as error:
            refusal = str(error)
        path.write_bytes(before)
        if refusal is None:
            check_harmless(render._filled(parts, "", [], [], {}, []))
            shown += 1
        else:
            assert re.fullmatch(".* is damaged: .*", refusal)  # one line
            damaged += 1
    return shown, damaged


@pytest.fixture
def fields(tmp_path):
    """All fields, and the file that code would write."""
    evil = write_code(tmp_path / "code", tmp_path / "ran")
    return list(hostile_fields(whole_runs(tmp_path / "runs"), evil)), tmp_path / "ran"


def test_texts_that_mean_harm_are_shown_as_text_in_whatever_field(fields):
    cases, ran = fields
    assert len({(path, content) for _, path, content, _ in cases}) >= 200
    shown, damaged = shown_of(random.Random(0).sample(cases, SHORT))
    assert shown + damaged == SHORT
    assert shown > SHORT / 2
    assert not ran.exists()


@pytest.mark.slow
def test_no_text_that_means_harm_runs_in_any_field(fields):
    cases, ran = fields
    shown, damaged = shown_of(cases)
    print(f"{len(cases)} hostile fields: {shown} shown as text, {damaged} refused in one line")
    assert not ran.exists()
