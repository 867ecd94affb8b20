import numpy as np
import pytest

from mirrorpo.preferences import data, draws


def test_no_two_purposes_share_a_draw():
    seen = {
        draws.draw(data_seed, purpose, index)
        for data_seed in (0, 1, 7, draws.LARGEST_DATA_SEED)
        for purpose in ("score", "search", "fitness", "validation")
        for index in (0, 1, 999, 9_999)
    }
    assert len(seen) == 4 * 4 * 4
    assert max(seen) < 2**31


@pytest.mark.parametrize("seed", [-1, draws.LARGEST_DATA_SEED + 1])
def test_a_data_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="data_seed must be between 0 and"):
        draws.draw(seed, "score")


def test_search_validation_and_score_share_no_start_state_and_no_label_draw(point, two_points):
    numbers = [draws.draw(0, purpose) for purpose in ("score", "search", "fitness", "validation")]
    pools = [data.simulate(point, 40, number, *two_points) for number in numbers]
    starts = [{tuple(x) for x in pool.trajectories.observations[:, 0]} for pool in pools]
    flips = [
        data.label(pool, "noisy:0.3", number).flipped
        for pool, number in zip(pools, numbers, strict=True)
    ]
    for one in range(4):
        for other in range(one):
            assert not starts[one] & starts[other]
            assert not np.array_equal(flips[one], flips[other])


def test_data_with_many_short_trajectories_are_refused_in_one_line(pool):
    fine = pool.trajectories
    card = {**pool.card, "episode_length": 60}
    data.refuse_short(data.Pool(_with_short(fine, 0.02), card))
    with pytest.raises(ValueError, match=r"2\.5 % of the trajectories .* --allow-short"):
        data.refuse_short(data.Pool(_with_short(fine, 0.025), card))


def _with_short(trajectories, share):
    length = np.full(len(trajectories), 60, "i4")
    length[: int(share * len(length))] = 49
    arrays = {name: getattr(trajectories, name) for name in type(trajectories).__dataclass_fields__}
    return data.Trajectories(**{**arrays, "length": length})
