"""The cost of an equally exact score, from what runs recorded."""

from pathlib import Path

import pytest
from benchmarks.table_cost import Scoring

from benchmarks import table_cost


def test_half_the_deviation_in_half_the_seconds_is_eight_times_cheaper():
    before = Scoring(agents=4, deviation=200.0, distance=1000.0, seconds=0.1)
    after = Scoring(agents=4, deviation=100.0, distance=1000.0, seconds=0.05)
    assert table_cost.times_cheaper(before, after) == pytest.approx((8.0, 8.0))


def test_a_longer_way_between_the_sources_counts_in_shares_alone():
    before = Scoring(agents=4, deviation=200.0, distance=1000.0, seconds=0.1)
    after = before._replace(distance=3000.0)
    assert table_cost.times_cheaper(before, after) == pytest.approx((1.0, 9.0))


def test_a_published_run_is_as_dear_as_itself(capsys):
    run = Path("results/sound-ground-tla")
    table_cost.main([run, run])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.count("|") == rows[0].count("|")
    first, again = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert first == again
    assert all(row.endswith("| 1.0 | 1.0 |") for row in rows)


def test_what_is_no_run_is_refused_in_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        table_cost.main([Path("results/no-such-run")])
    assert "no-such-run" in capsys.readouterr().err
