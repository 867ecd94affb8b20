"""A log loses no more than what was being written, and says what else it cannot read."""

import json
import subprocess
import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorpo import json_lines
from mirrorpo.damage import DamageWarning
from mirrorpo.language.judging.store import Store
from mirrorpo.study import records

ROWS = [{"n": number, "text": "a\u2028b\n" * number} for number in range(3)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "log.jsonl"


@pytest.fixture
def log(path):
    for row in ROWS:
        json_lines.append(path, row)
    return path


def test_what_is_appended_is_read(log):
    assert json_lines.read(log) == ROWS
    assert json_lines.resume(log) == ROWS
    assert json_lines.read(log.with_name("none.jsonl")) == []


def test_every_cut_costs_the_last_line_alone_and_the_next_append_mends_it(log):
    whole = log.read_bytes()
    ends = [position + 1 for position, byte in enumerate(whole) if byte == ord("\n")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a cut line is no damage
        for size in range(len(whole) + 1):
            kept = ROWS[: sum(end <= size + 1 for end in ends)]
            log.write_bytes(whole[:size])
            assert json_lines.read(log) == kept
            json_lines.append(log, {"new": 1})
            assert json_lines.read(log) == [*kept, {"new": 1}]
            log.write_bytes(whole[:size])
            assert json_lines.resume(log) == kept
            assert json_lines.read(log) == kept


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff", b"{", b"null", b"12", b'[{"n": 1}]', b"{]" * 9999]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_garbage_line_is_said_with_its_number_and_costs_itself_alone(log, garbage, place):
    lines = log.read_bytes().splitlines(keepends=True)
    lines[place] = garbage + b"\n"
    log.write_bytes(b"".join(lines))
    kept = ROWS[:place] + ROWS[place + 1 :]
    with pytest.warns(DamageWarning, match=f"log.jsonl: line {place + 1} is damaged") as said:
        assert json_lines.read(log) == kept
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    with pytest.warns(DamageWarning):
        assert json_lines.resume(log) == kept
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was resumed is clean
        assert json_lines.read(log) == kept


@given(place=st.integers(0, 10_000), byte=st.binary(min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_whatever_bytes_change_the_other_lines_are_kept(tmp_path_factory, place, byte):
    log = tmp_path_factory.mktemp("log") / "log.jsonl"
    json_lines.write(log, ROWS)
    whole = log.read_bytes()
    place %= len(whole) - len(byte)
    log.write_bytes(whole[:place] + byte + whole[place + len(byte) :])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        found = json_lines.read(log)
    assert len([row for row in found if row in ROWS]) >= len(ROWS) - 2


def test_processes_may_append_to_one_log(path):
    script = (
        "import sys\n"
        "from mirrorpo import json_lines\n"
        "for number in range(50):\n"
        "    row = {'who': int(sys.argv[2]), 'number': number, 'fill': 'x' * 3000}\n"
        "    json_lines.append(sys.argv[1], row)\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(who)]) for who in range(3)
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    found = [(row["who"], row["number"]) for row in json_lines.read(path)]
    assert sorted(found) == [(who, number) for who in range(3) for number in range(50)]


def record(seed):
    return records.AgentRecord(
        "t", "base", "dpo", "final", "{}", seed, 1.0, 0.1, 2, False, 0.0, 0.0
    )


def test_a_bench_keeps_the_agents_after_a_damaged_line(path):
    log = records.BenchLog(path)
    for seed in range(4):
        log.add(record(seed), {"loss": [1.0]})
    lines = path.read_text().splitlines()
    wrong = json.loads(lines[1])
    wrong["agent"]["seed"] = "one"
    path.write_text("\n".join([lines[0], json.dumps(wrong), *lines[2:], ""]))
    with pytest.warns(DamageWarning, match="line 2 is damaged .seed is 'one', but must be a whole"):
        again = records.BenchLog(path)
    assert [record(seed).key in again for seed in range(4)] == [True, False, True, True]


def test_an_agent_that_two_processes_have_logged_counts_once(path):
    log = records.BenchLog(path)
    log.add(record(0), {})
    whole = path.read_bytes()
    path.write_bytes(2 * whole)
    with pytest.warns(DamageWarning, match="is there twice"):
        assert len(records.BenchLog(path)) == 1
    assert path.read_bytes() == whole


def test_a_store_of_verdicts_keeps_what_it_can_read(path):
    store = Store(path)
    for number in range(3):
        store.add({"question": number}, number)
    first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([first, second[:-5], third[:20]]))
    with pytest.warns(DamageWarning, match="line 2"):
        again = Store(path)
    assert [again.get({"question": number}) for number in range(3)] == [0, None, None]
    again.add({"question": 2}, 2)
    with pytest.warns(DamageWarning, match="line 2"):
        assert Store(path).get({"question": 2}) == 2
