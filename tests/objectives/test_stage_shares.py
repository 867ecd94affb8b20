"""The stages of a training share its epochs."""

from itertools import pairwise

import pytest

from mirrorpo.objectives import stage_shares


@pytest.mark.parametrize("shares", [(1,), (10, 2), (1, 1, 1), (1, 50)])
def test_every_stage_has_a_unit_and_all_have_the_whole(shares):
    for units in range(len(shares), 60):
        ends = stage_shares.ends(shares, units)
        assert ends[-1] == units
        assert all(before < after for before, after in pairwise((0, *ends)))


def test_stages_end_at_their_shares_where_these_are_whole():
    assert stage_shares.ends((10, 2), 12) == (10, 12)
    assert stage_shares.ends((10, 2), 6) == (5, 6)
