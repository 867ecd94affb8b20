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

from mirrorpo.language.judging import comparison, length_control, rates, run, scores, settings
from mirrorpo.language.judging.answers import Answer, Pair, write
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


@pytest.mark.slow  # its short forms: the stores above, and the signals in tests/cli
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
        ("model: m\nendpoint: http://x\nworkers: 0\n", "workers must be at least 1, not 0"),
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
    from mirrorpo.language.models import sentiment

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
        (tmp_path / "none.csv", "No file of difficulties"),
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
