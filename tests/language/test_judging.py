"""Verdicts of judges and the win rates made of them."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("alpaca_eval")
pytest.importorskip("vaderSentiment")

from mirrorpo.language.answers import Answer, Pair, write
from mirrorpo.language.judging import comparison, length_control, rates, run, scores, settings
from mirrorpo.language.judging.store import Store

from . import judge_server

PAIRS = [
    Pair(f"Question {number}?", "long " * (1 + number % 3), "short " * (1 + number % 2))
    for number in range(20)
]
LONGER = [0.5 + 0.5 * np.sign(len(pair.candidate) - len(pair.baseline)) for pair in PAIRS]


@pytest.fixture
def server():
    with judge_server.serve() as server:
        yield server


def model_judge(server, **changes):
    return settings.ModelJudge(
        **{"model": "longer", "endpoint": server.address, "workers": 3, "retries": 2, **changes}
    )


def test_a_model_judge_is_asked_once_for_each_pair_in_either_order(server, tmp_path):
    store = Store(tmp_path / "calls.jsonl")
    found = comparison.verdicts(model_judge(server), PAIRS, store).preferences
    assert found == pytest.approx(LONGER, abs=1e-4)
    assert len(server.calls) == len(PAIRS) == len(store)
    first = [
        judge_server.OUTPUT.findall(call["messages"][-1]["content"])[0] for call in server.calls
    ]
    shown_first = sum(text.startswith("long") for text in first)
    assert 0 < shown_first < len(PAIRS), "the order of the answers is drawn"
    assert all(call["model"] == "longer" for call in server.calls)
    assert all(call["logprobs"] and call["max_tokens"] == 1 for call in server.calls)


def test_nothing_is_asked_twice(server, tmp_path):
    for _ in range(2):
        comparison.verdicts(model_judge(server), PAIRS, Store(tmp_path / "calls.jsonl"))
    assert len(server.calls) == len(PAIRS)
    # Another answer to one of the instructions is another question.
    changed = [Pair(PAIRS[0].instruction, "new", "answers"), *PAIRS[1:]]
    comparison.verdicts(model_judge(server), changed, Store(tmp_path / "calls.jsonl"))
    assert len(server.calls) == len(PAIRS) + 1


def test_a_judge_that_stops_in_the_middle_is_gone_on_with(server, tmp_path):
    server.stop_after = 7
    path = tmp_path / "calls.jsonl"
    with pytest.raises(ValueError, match=r"refuses, with status 400: .*not now") as caught:
        comparison.verdicts(model_judge(server), PAIRS, Store(path))
    assert "\n" not in str(caught.value)
    assert len(Store(path)) == len(server.calls) == 7
    with path.open("a") as file:
        file.write('{"question": "cut by a ki')
    server.stop_after = None
    found = comparison.verdicts(model_judge(server), PAIRS, Store(path)).preferences
    assert found == pytest.approx(LONGER, abs=1e-4)
    assert len(server.calls) == len(PAIRS)
    assert len(Store(path)) == len(PAIRS)


def test_kill_minus_nine_pays_for_nothing_twice(server, tmp_path):
    """The real thing: a process killed among its calls, then the same command again."""
    for name in ("candidate", "baseline"):
        rows = [Answer(pair.instruction, getattr(pair, name), name) for pair in PAIRS]
        write(tmp_path / f"{name}.json", rows)
    (tmp_path / "judge.yaml").write_text(
        f"model: longer\nendpoint: {server.address}\nworkers: 1\nretries: 30\n"
    )
    command = [
        *(sys.executable, "-m", "mirrorpo", "judge", str(tmp_path / "candidate.json")),
        *("--baseline", str(tmp_path / "baseline.json"), "--judge", str(tmp_path / "judge.yaml")),
        *("--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")),
    ]
    server.failures = [200] * 6 + [503] * 1000  # six verdicts, then busy until the kill
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while server.tries < 7 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert len(server.calls) == 6
    assert not (tmp_path / "run" / "results.json").exists()
    server.failures = []
    subprocess.run(command, capture_output=True, check=True)
    assert len(server.calls) == len(PAIRS)
    messages = [json.dumps(call["messages"]) for call in server.calls]
    assert len(set(messages)) == len(PAIRS), "no call was made twice"
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["win_rate"]["value"] == pytest.approx(100 * np.mean(LONGER), abs=0.01)


def test_a_busy_judge_is_asked_again(server, tmp_path):
    server.failures = [429, 500]
    found = comparison.verdicts(model_judge(server), PAIRS[:2], Store(tmp_path / "a")).preferences
    assert found == pytest.approx(LONGER[:2], abs=1e-4)
    assert (server.tries, len(server.calls)) == (4, 2)


def test_a_judge_that_is_down_is_one_line(tmp_path):
    judge = settings.ModelJudge(model="m", endpoint="http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(ValueError, match=r"at http://127\.0\.0\.1:9/v1 does not answer") as caught:
        comparison.verdicts(judge, PAIRS, Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)


def test_a_judge_that_answers_nonsense_is_stopped_early(server, tmp_path):
    server.verdict = "Both are\nlovely"
    with pytest.raises(ValueError, match=r"no verdict .* such as 'Both are.*lovely'") as caught:
        comparison.verdicts(model_judge(server, workers=1), PAIRS, Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)
    assert len(server.calls) < len(PAIRS), "not all calls are paid before anyone looks"


@pytest.mark.parametrize("body", [{"hello": "world"}, {"choices": []}, "a text"])
def test_something_else_than_a_chat_completion_is_one_line(server, body, tmp_path):
    server.body = body
    with pytest.raises(ValueError, match="sends no chat completion") as caught:
        comparison.verdicts(model_judge(server), PAIRS, Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)


def test_equal_answers_are_a_draw_without_a_call(server, tmp_path):
    pair = Pair("Same?", "yes", "yes")
    found = comparison.verdicts(model_judge(server), [pair], Store(tmp_path / "a"))
    assert found.preferences == [0.5]
    assert not server.calls


def test_an_unknown_annotator_is_one_line(server, tmp_path):
    with pytest.raises(ValueError, match="alpaca_eval has no annotator 'gpt5'"):
        comparison.verdicts(model_judge(server, annotator="gpt5"), PAIRS, Store(tmp_path / "a"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: m\n", "it has no endpoint"),
        ("model: m\nendpoint: localhost\n", "must start with http"),
        ("model: m\nendpoint: http://x\nworker: 2\n", "no setting 'worker'.*workers"),
        ("model: m\nendpoint: http://x\nworkers: 0\n", "workers is 0"),
        ("- m\n", "lines of the form key: value"),
        ("a: [\n", "is not a judge"),
    ],
)
def test_a_wrong_judge_file_says_what_is_wrong(text, message, tmp_path):
    path = tmp_path / "judge.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        settings.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_judges_of_the_recipes_can_be_read():
    paths = sorted((Path(__file__).parents[2] / "recipes" / "judges").glob("*.yaml"))
    assert paths
    for path in paths:
        comparison._check_configuration(settings.load(path).annotator)


# Python judges


def write_judge(folder, body):
    path = folder / "mine.py"
    path.write_text(f"def score(instruction, output):\n    {body}\n")
    return f"{path}:score"


def test_a_python_function_is_a_judge_and_is_asked_once_for_each_answer(tmp_path):
    log = tmp_path / "log"
    text = write_judge(tmp_path, f"open({str(log)!r}, 'a').write('.'); return len(output)")
    judge = scores.load(text)
    for _ in range(2):
        found = scores.preferences(judge, PAIRS, Store(tmp_path / "calls.jsonl"))
        assert found == LONGER
    assert len(log.read_text()) == 2 * len(PAIRS)


def test_a_changed_function_is_another_judge(tmp_path):
    first = scores.load(write_judge(tmp_path, "return len(output)"))
    second = scores.load(write_judge(tmp_path, "return -len(output)"))
    store = Store(tmp_path / "calls.jsonl")
    one, two = (scores.preferences(judge, PAIRS, store) for judge in (first, second))
    assert [1 - value for value in one] == two


def test_vader_prefers_praise():
    pair = Pair("How was it?", "A wonderful, moving film.", "A terrible, boring film.")
    judge = scores.load("vader")
    assert judge.score(pair.instruction, pair.candidate) > 0.5
    assert judge.score(pair.instruction, pair.baseline) < -0.5


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 'good'", "returned 'good' .* must return a finite number"),
        ("return float('nan')", "returned nan"),
        ("return None", "returned None"),
        ("raise KeyError('a\\nb')", "fails on the instruction 'Question 0.*KeyError"),
    ],
)
def test_a_function_that_gives_no_number_is_one_line(body, message, tmp_path):
    judge = scores.load(write_judge(tmp_path, body))
    with pytest.raises(ValueError, match=message) as caught:
        scores.preferences(judge, PAIRS, Store(tmp_path / "a"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpt4", "use vader, PATH.py:FUNCTION, or a .yaml file"),
        ("none.py:score", "No judge at none.py"),
        ("{path}:scroe", "has no function 'scroe'"),
    ],
)
def test_a_judge_that_is_not_there_is_one_line(text, message, tmp_path):
    path = write_judge(tmp_path, "return 1").removesuffix(":score")
    with pytest.raises(ValueError, match=message):
        scores.load(text.format(path=path))


def test_a_missing_vader_says_what_to_install(monkeypatch):
    from mirrorpo.language import sentiment

    sentiment.analyser.cache_clear()
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)
    monkeypatch.delitem(sys.modules, "vaderSentiment.vaderSentiment", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mirrorpo\[llm\]'"):
        scores.load("vader")
    sentiment.analyser.cache_clear()


# Rates


def test_a_win_rates_bootstrap_error_is_the_known_one():
    draw = np.random.default_rng(0)
    values = (draw.random(400) < 0.7).astype(float)
    rate = rates.win_rate(values)
    share = values.mean()
    assert rate.value == pytest.approx(100 * share)
    assert rate.standard_error == pytest.approx(
        100 * math.sqrt(share * (1 - share) / 400), rel=0.03
    )
    assert rate.low == pytest.approx(rate.value - 1.96 * rate.standard_error, abs=0.4)
    assert rate.high == pytest.approx(rate.value + 1.96 * rate.standard_error, abs=0.4)


def test_one_pair_has_a_rate_without_an_error():
    rate = rates.win_rate([1.0])
    assert rate.value == 100
    assert math.isnan(rate.standard_error)
    with pytest.raises(ValueError, match="no pairs"):
        rates.win_rate([])


def lengths_only(count, seed):
    """Two equal models of which one writes longer, and a judge that likes length."""
    draw = np.random.default_rng(seed)
    pairs, preferences = [], []
    for number in range(count):
        candidate, baseline = draw.integers((600, 200), (1900, 1500))
        pairs.append(Pair(str(number), "a" * candidate, "a" * baseline))
        odds = math.exp(1.5 * math.tanh((candidate - baseline) / 530))
        preferences.append(float(draw.random() < odds / (1 + odds)))
    return pairs, preferences


def test_length_control_takes_a_preference_for_length_out(monkeypatch):
    monkeypatch.setattr(length_control, "RESAMPLES", 20)
    pairs, preferences = lengths_only(805, 1)
    plain = rates.win_rate(preferences)
    controlled = length_control.win_rate(pairs, preferences)
    assert plain.value > 60
    assert abs(controlled.value - 50) < 4 < plain.value - 50
    assert controlled.standard_error > 0.5, "a constant difficulty would report almost none"
    assert controlled.low <= controlled.value <= controlled.high


def difficulty_file(path, count, **changes):
    rows = length_control._constant(count)
    rows["instruction_difficulty"] = np.linspace(-1, 1, count)
    rows = rows.assign(**changes)
    rows.to_csv(path, index=False)
    return path


def test_a_local_file_of_difficulties_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(length_control, "RESAMPLES", 2)
    draw = np.random.default_rng(0)
    pairs, _ = lengths_only(300, 0)
    # The harder the instruction, the more the candidate wins.
    preferences = [float(draw.random() < (number + 0.5) / 300) for number in range(300)]
    path = difficulty_file(tmp_path / "gamed.csv", 300)
    with_it = length_control.win_rate(pairs, preferences, path)
    assert 40 < with_it.value < 60
    # A row without a verdict is left out, and the others keep their difficulty.
    fewer = length_control.win_rate(pairs, [None, *preferences[1:]], path)
    assert fewer.value == pytest.approx(with_it.value, abs=2)


def test_a_wrong_difficulty_file_is_one_line(tmp_path):
    pairs, preferences = lengths_only(10, 0)
    for path, message in (
        (tmp_path / "none.csv", "No difficulty file"),
        (difficulty_file(tmp_path / "few.csv", 7), "has no instruction 7 .and 2 more"),
    ):
        with pytest.raises(ValueError, match=message):
            length_control.win_rate(pairs, preferences, path)
    (tmp_path / "other.csv").write_text("index,model\n0,x\n")
    with pytest.raises(ValueError, match="it has no column preference, std_delta_len"):
        length_control.win_rate(pairs, preferences, tmp_path / "other.csv")


def test_answers_of_one_length_have_no_length_controlled_rate():
    pairs = [Pair(str(number), "abc", "abcd") for number in range(9)]
    assert length_control.win_rate(pairs, [1.0] * 9) is None


def test_few_pairs_are_said_to_be_few_and_no_result_is_called_a_benchmarks(tmp_path, monkeypatch):
    monkeypatch.setattr(length_control, "RESAMPLES", 20)
    model = [Answer(pair.instruction, pair.candidate, "mine") for pair in PAIRS]
    baseline = [Answer(pair.instruction, pair.baseline, "theirs") for pair in PAIRS]
    judge = scores.load("vader")
    results = run.compare(model, baseline, judge, tmp_path, kept=tmp_path / "cache")
    assert results["what"] == "win rate of mine against theirs on 20 instructions, judged by vader"
    assert any("unreliable with 20 pairs" in note for note in results["notes"])
    assert "alpaca" not in json.dumps(results).lower()
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == len(PAIRS)


# What a judge refuses, and what is kept of it


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
