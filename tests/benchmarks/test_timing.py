"""Runs are repeated until they took long enough, and the first is counted apart."""

import time

from benchmarks.speed.timing import timed


def test_a_long_run_is_repeated_twice():
    calls = []
    found = timed(lambda: calls.append(time.sleep(0.01)), least_seconds=0.0)
    assert len(calls) == 3
    assert found.fastest >= 0.01
    assert found.first_extra >= 0


def test_a_short_run_is_repeated_until_the_seconds_are_over():
    calls = []
    timed(lambda: calls.append(time.sleep(0.001)), least_seconds=0.02)
    # A sleep may be longer than it should be, never shorter.
    assert 3 <= len(calls) <= 21


def test_what_the_first_run_takes_more_is_apart():
    waits = iter([0.05, 0.0, 0.0])
    found = timed(lambda: time.sleep(next(waits)), least_seconds=0.0)
    assert found.first_extra >= 0.05 - found.fastest - 1e-3
