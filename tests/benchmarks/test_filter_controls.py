"""What each control leaves of the pairs, and that the whole of it runs and resumes."""

import numpy as np
import pytest

from benchmarks import filter_controls

LEAD = np.random.default_rng(0).normal(0.5, 1.0, 200)


@pytest.mark.parametrize("control", ["random", "truth"])
def test_a_control_leaves_out_two_pairs_in_five(control):
    kept = filter_controls.staying(control, LEAD, 0)
    assert len(kept) == len(set(kept)) == 120
    assert (np.diff(kept) > 0).all()


def test_all_keeps_every_pair():
    assert filter_controls.staying("all", LEAD, 0).tolist() == list(range(200))


def test_truth_keeps_the_largest_leads_and_no_wrong_label_where_two_in_five_are_enough():
    kept = filter_controls.staying("truth", LEAD, 0)
    assert LEAD[kept].min() >= np.delete(LEAD, kept).max()
    assert (LEAD < 0).mean() < filter_controls.DROP
    assert (LEAD[kept] > 0).all()


def test_random_drops_other_pairs_in_each_draw_and_the_same_ones_again():
    first, again, other = (filter_controls.staying("random", LEAD, draw) for draw in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.slow
def test_it_trains_scores_and_resumes_on_a_tiny_model(tmp_path, capsys):
    def run(controls):
        filter_controls.main(
            tmp_path / "out", controls, (0,), "smoke", steps=2, rows=16, cache=tmp_path / "cache"
        )
        return capsys.readouterr().out

    assert "| truth |" not in run(("random",))
    again = run(("random", "truth"))
    assert "random, draw 0" not in again
    assert "| random |" in again
    assert "| truth |" in again
