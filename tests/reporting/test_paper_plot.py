"""The picture has a panel per column, and a name per loss that overlaps no other."""

import numpy as np
import pytest

from mirrorpo.reporting import joined, paper
from mirrorpo.reporting.claims import WITHOUT_SFT_TERM
from mirrorpo.reporting.paper_plot import paper_plot
from tests.reporting.made_up import write_run


def drawn(tmp_path, scores):
    folder = write_run(tmp_path / "run", scores, task="tla", protocol="paper")
    return paper_plot(joined.join([("run", folder)]))


def names(axis):
    """Position and colour of the names right of a panel."""
    return {text.get_text(): (text.get_position()[1], text.get_color()) for text in axis.texts}


def test_equal_scores_of_all_losses_still_leave_every_name_its_place(tmp_path):
    theirs = paper.RESULTS["tla"].scores["base"]
    (axis,) = drawn(tmp_path, {"base": dict.fromkeys(theirs, 2000.0)}).axes
    assert axis.get_title(loc="left").startswith("protocol paper, tla: base\n0 of 0 pairs")
    found = names(axis)
    assert len(found) == len(theirs)
    heights = sorted(height for height, _ in found.values())
    assert np.diff(heights).min() > 0.12
    low, high = axis.get_ylim()
    assert low < heights[0] < heights[-1] <= high
    by_kind = {"with": found["sft"][1], "fading": found["ta-mpo t"][1], "none": found["dpo"][1]}
    assert len(set(by_kind.values())) == 3
    assert all(found[name][1] == by_kind["none"] for name in WITHOUT_SFT_TERM)


def test_a_score_far_below_is_drawn_at_the_edge_as_a_triangle(tmp_path):
    scores = {"sft": 2000.0, "cpo": 1500.0, "simpo": -9000.0}
    (axis,) = drawn(tmp_path, {"base": scores}).axes
    points = [line for line in axis.lines if line.get_marker() in ("o", "^")]
    marks = {line.get_marker(): line.get_ydata()[0] for line in points}
    assert [line.get_marker() for line in points].count("^") == 1
    assert marks["^"] == axis.get_xticks()[0] == -1.0
    assert axis.get_title(loc="left").endswith("\n0 of 2 pairs as in the paper")


def test_columns_with_too_few_losses_have_no_panel(tmp_path):
    three = {"sft": 2000.0, "cpo": 1500.0, "simpo": 1000.0}
    figure = drawn(tmp_path, {"base": three, "noisy:0.1": {"sft": 1.0}})
    assert len(figure.axes) == 1
    with pytest.raises(ValueError, match="3 losses in common"):
        drawn(tmp_path / "..", {"base": {"sft": 1.0}})
