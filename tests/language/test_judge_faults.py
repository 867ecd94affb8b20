"""What a judge refuses, answers badly or too late, and what is kept of it."""

import json
import math
import time

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("alpaca_eval")

from mirrorpo.language.judging import comparison, rates
from mirrorpo.language.judging.answers import Pair
from mirrorpo.language.judging.store import Store

from . import judge_server
from .test_judging import LONGER, PAIRS, model_judge


@pytest.fixture
def server():
    with judge_server.serve() as server:
        yield server


def with_a_long_one(position):
    changed = list(PAIRS)
    changed[position] = Pair("Too long?", "long " * 2000, "short ")
    return changed


def test_an_answer_that_the_judge_refuses_is_left_out_and_named(server, tmp_path):
    server.too_long = 8000
    path = tmp_path / "calls.jsonl"
    found = comparison.verdicts(model_judge(server), with_a_long_one(4), Store(path))
    assert found.preferences[4] is None
    assert found.reasons == {4: "refuses, with status 400: " + found.reasons[4][26:]}
    assert "maximum context length exceeded" in found.reasons[4]
    others = [value for place, value in enumerate(found.preferences) if place != 4]
    assert others == pytest.approx(LONGER[:4] + LONGER[5:], abs=1e-4)
    # A refusal depends on how the endpoint is set up: it is not kept, and asked for again.
    assert len(Store(path)) == len(PAIRS) - 1
    server.too_long = None
    again = comparison.verdicts(model_judge(server), with_a_long_one(4), Store(path))
    assert again.preferences[4] == pytest.approx(1.0, abs=1e-4)
    assert again.reasons == {}
    assert len(server.calls) == len(PAIRS)


def test_many_long_answers_in_a_row_do_not_end_judging(server, tmp_path):
    server.too_long = 8000
    pairs = [Pair(f"Long {number}?", "long " * 2000, "short ") for number in range(12)]
    pairs.append(PAIRS[0])
    for _ in range(2):  # the second time nothing but the refused are asked
        found = comparison.verdicts(model_judge(server), pairs, Store(tmp_path / "a"))
        assert found.preferences[:12] == [None] * 12
        assert found.preferences[12] == pytest.approx(LONGER[0], abs=1e-4)
        assert sorted(found.reasons) == list(range(12))


def test_a_judge_that_refuses_everything_is_one_line(server, tmp_path):
    server.stop_after = 0
    with pytest.raises(ValueError, match=r"refuses, with status 400: .*not now") as caught:
        comparison.verdicts(model_judge(server, workers=1), PAIRS, Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)
    assert server.tries < len(PAIRS)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_judge_that_lets_nobody_in_is_asked_once(server, status, tmp_path):
    server.failures = [status] * 99
    with pytest.raises(ValueError, match=f"refuses, with status {status}"):
        comparison.verdicts(model_judge(server, workers=1), PAIRS, Store(tmp_path / "a"))
    assert server.tries == 1


def test_an_answer_without_a_verdict_is_asked_for_again(server, tmp_path):
    server.verdict = "Both are lovely"
    with pytest.raises(ValueError, match="no verdict"):
        comparison.verdicts(model_judge(server), PAIRS, Store(tmp_path / "a"))
    assert not (tmp_path / "a").exists(), "a bad moment of the judge is not kept"
    server.verdict = None
    found = comparison.verdicts(model_judge(server), PAIRS, Store(tmp_path / "a"))
    assert found.preferences == pytest.approx(LONGER, abs=1e-4)


def test_damaged_lines_of_the_store_are_asked_for_again(server, tmp_path):
    path = tmp_path / "calls.jsonl"
    comparison.verdicts(model_judge(server), PAIRS, Store(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row, answer in zip(rows, (None, "m", 3, [], {}, {"text": 5}, {"text": "no"}), strict=False):
        row["answer"] = answer
    damaged = [json.dumps(row) for row in rows] + ["null", "[]", '{"question": []}', "\ufffd"]
    path.write_bytes("\n".join(damaged).encode() + b"\n\xff\xfe\n")
    found = comparison.verdicts(model_judge(server), PAIRS, Store(path))
    assert found.preferences == pytest.approx(LONGER, abs=1e-4)
    assert len(server.calls) == len(PAIRS) + 7


def choice(**changes):
    message = {"role": "assistant", "content": "m", **changes}
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


@pytest.mark.parametrize(
    "body",
    [
        {"choices": "m"},
        {"choices": [None]},
        {"choices": ["m"]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "m"}]},
        choice(content=["m"]),
        choice(content={"text": "m"}),
        choice(tool_calls=[{"function": None}]),
        choice(tool_calls=["m"]),
        {**choice(), "usage": "many"},
        None,
        [],
        7,
        b"<html>",
        b"[" * 100_000,
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_malformed_completion_is_one_line_and_not_kept(server, body, tmp_path):
    server.body = json.dumps(body).encode() if not isinstance(body, bytes) else body
    with pytest.raises(ValueError, match="sends no chat completion") as caught:
        comparison.verdicts(model_judge(server), PAIRS[:2], Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_an_endless_answer_is_not_read_to_its_end(server, tmp_path, monkeypatch):
    from mirrorpo.language.judging import calls

    monkeypatch.setattr(calls, "MOST_BYTES", 2**20)
    server.body = b" " * 2**22
    with pytest.raises(ValueError, match="its answer is longer than 1 MiB"):
        comparison.verdicts(model_judge(server, retries=0), PAIRS[:2], Store(tmp_path / "a"))


def test_an_answer_that_drips_meets_the_deadline(server, tmp_path):
    server.drip_seconds = 0.05
    judge = model_judge(server, timeout=0.5, retries=0)
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"no whole answer within 0\.5 seconds"):
        comparison.verdicts(judge, PAIRS[:2], Store(tmp_path / "a"))
    assert time.monotonic() - began < 5


def test_a_key_with_characters_of_no_key_is_one_line_that_does_not_tell_it(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\u2026")
    with pytest.raises(ValueError, match="OPENAI_API_KEY holds characters") as caught:
        comparison.verdicts(model_judge(server), PAIRS[:2], Store(tmp_path / "a"))
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\n")  # as $(cat key) leaves it
    assert comparison.verdicts(model_judge(server), PAIRS[:2], Store(tmp_path / "a")).reasons == {}


def test_a_rate_that_some_resamples_lack_has_an_error_of_the_others():
    lacking = iter([50.0, *[math.nan] * 5, *[40.0, 60.0] * 48])
    rate = rates.bootstrap(lambda rows: next(lacking), 6, 101, 0)
    assert rate.standard_error == pytest.approx(np.std([40.0, 60.0] * 48, ddof=1))
    none = iter([50.0, *[math.nan] * 50, *[40.0, 60.0] * 25])
    assert math.isnan(rates.bootstrap(lambda rows: next(none), 6, 100, 0).standard_error)
