"""Pools of recorded episodes, their parts, and that an exported pool comes back as it was."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorpo.preferences import data, views
from mirrorpo.preferences.data import Pool, Trajectories
from mirrorpo.preferences.own import exchange, holding, importing, pooling, steps
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.variants import BETTER, WORSE
from tests.preferences.own.recordings import LENGTH, episodes, write_npz


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = write_npz(tmp_path_factory.mktemp("own") / "a.npz")
    return steps.read(path, others=["policy", "episode"])


def test_an_episode_s_return_is_the_sum_of_its_rewards(read):
    pool = pooling.make(read, ImportSettings(sources="policy"))
    rewards = episodes()["rewards"].reshape(-1, LENGTH).sum(axis=1)
    np.testing.assert_allclose(pool.trajectories.returns, rewards[pool.trajectories.start], 1e-6)


def test_sources_are_the_values_of_a_column_the_better_the_one_of_the_higher_return(read):
    pool = pooling.make(read, ImportSettings(sources="policy"))
    held = pool.trajectories
    assert (held.start[held.agent == BETTER] % 2 == 0).all()
    assert (held.start[held.agent == WORSE] % 2 == 1).all()
    assert pool.card["better"]["name"] == "0"
    turned = pooling.make(read, ImportSettings(sources="policy", better="1", worse="0"))
    assert turned.card["better"]["return_mean"] < turned.card["worse"]["return_mean"]


@pytest.mark.parametrize("role", ["better", "worse"])
@pytest.mark.parametrize("value", ["0", "1"])
def test_of_two_sources_the_one_that_is_not_named_is_the_other(read, role, value):
    pool = pooling.make(read, ImportSettings(sources="policy", **{role: value}))
    other = "worse" if role == "better" else "better"
    assert pool.card[role]["name"] == value
    assert pool.card[other]["name"] == {"0": "1", "1": "0"}[value]


def test_without_a_column_sources_are_tiers_by_return(read):
    pool = pooling.make(read, ImportSettings(better_share=0.25, worse_share=0.5))
    held = pool.trajectories
    assert pool.card["better"]["episodes"] == 12
    assert pool.card["worse"]["episodes"] == 24
    assert pool.card["episodes"]["of neither source"] == 12
    assert pool.card["episodes"]["without a partner"] == 12
    assert held.returns[held.agent == BETTER].min() > held.returns[held.agent == WORSE].max()


def test_by_default_each_episode_is_in_one_pair_of_one_episode_of_each_source(read):
    pool = pooling.make(read, ImportSettings(sources="policy"))
    dataset = data.label(pool, "bad-judge:0.001", seed=0)  # who is never wrong
    used = np.concatenate([dataset.chosen, dataset.rejected])
    np.testing.assert_array_equal(np.sort(used), np.arange(48))
    assert not dataset.flipped.any()
    assert (dataset.trajectories.agent[used].reshape(2, -1).sum(axis=0) == 1).all()


def test_twice_as_many_rows_are_pairs_that_were_not_there_yet(read):
    pool = pooling.make(read, ImportSettings(sources="policy", rows=48))
    pairs = {tuple(row) for row in pool.of_rows[:, :, 0]}
    assert len(pairs) == 48
    with pytest.raises(ValueError, match="rows must be between 1 and 48, not 49"):
        pooling.make(read, ImportSettings(sources="policy", rows=49))


def test_variants_of_an_imported_pool_have_their_faults(read):
    pool = pooling.make(read, ImportSettings(sources="policy", rows=48))
    noisy = data.label(pool, "noisy:0.3", seed=1)
    assert 0.1 < noisy.flipped.mean() < 0.5
    mixed = data.label(pool, "mixed-quality", seed=1)
    assert (mixed.chosen != mixed.rejected).all()
    both = mixed.trajectories.agent[mixed.chosen] + mixed.trajectories.agent[mixed.rejected]
    assert set(both) == {0, 1, 2}
    assert data.label(pool, "bad-judge:1000", seed=1).flipped.mean() > 0.2


def test_episodes_of_one_start_state_meet_where_a_column_tells_them(read):
    states = np.repeat(np.arange(12), 4)
    told = dataclasses.replace(read, values={**read.values, "state": states})
    pool = pooling.make(told, ImportSettings(sources="policy", start="state"))
    start = pool.trajectories.start
    assert (start[pool.of_rows[:, 0, 0]] == start[pool.of_rows[:, 1, 1]]).all()
    assert pool.card["same_start"]
    assert not pooling.make(read, ImportSettings(sources="policy")).card["same_start"]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (
            ImportSettings(sources="policy", better="2", worse="0"),
            "no value '2' for the better source",
        ),
        (ImportSettings(sources="policy", better="2"), "no value '2' for the better source"),
        (ImportSettings(sources="episode", better="0"), "name two of them by --better and --worse"),
        (ImportSettings(sources="policy", better="0", worse="0"), "both '0': name two sources"),
        (ImportSettings(sources="episode"), r"episode has 48 values \(0, 1,"),
        (ImportSettings(better_share=0.02, worse_share=0.5), "1 episodes of the better source"),
    ],
)
def test_sources_that_are_not_told_are_refused(read, sources, said):
    with pytest.raises(ValueError, match=said):
        pooling.make(read, sources)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"better_share": 0.6, "worse_share": 0.5}, "more than all episodes"),
        ({"better_share": 0.0}, "better_share must be between 0 and 1"),
        ({"better": "1"}, "name the column by --sources"),
    ],
)
def test_sources_that_contradict_themselves_are_refused(read, given, said):
    with pytest.raises(ValueError, match=said):
        pooling.make(read, ImportSettings(**given))


def test_a_pool_needs_rewards(tmp_path):
    bare = steps.read(write_npz(tmp_path / "a.npz", rewards=None))
    with pytest.raises(ValueError, match="has no rewards"):
        pooling.make(bare, ImportSettings())


def test_sources_of_equal_returns_are_told_apart_by_their_user_alone(tmp_path):
    flat = np.ones(len(episodes()["rewards"]), "f4")
    even = steps.read(write_npz(tmp_path / "a.npz", rewards=flat), others=["policy"])
    for sources in ({}, {"sources": "policy"}):
        with pytest.raises(ValueError, match="both sources have the mean return 12, so nothing"):
            pooling.make(even, ImportSettings(**sources))
    pool = pooling.make(even, ImportSettings(sources="policy", better="1"))
    assert pool.card["better"]["name"] == "1"


def test_padding_beyond_the_limit_is_refused(read):
    longest = 10**8
    long = dataclasses.replace(read, length=np.append(read.length[:-1], longest))
    with pytest.raises(ValueError, match="padded to the longest: observations of shape"):
        pooling.make(long, ImportSettings(sources="policy"))


def test_an_unfinished_episode_is_in_no_pair(tmp_path):
    arrays = {name: values[:-3] for name, values in episodes().items()}
    path = write_npz(tmp_path / "a.npz", arrays, episode=None)
    pool = pooling.make(steps.read(path), ImportSettings())
    assert pool.card["episodes"]["without an end"] == 1
    assert 47 not in pool.trajectories.start


@st.composite
def pools(draw):
    """Pools of any sizes, lengths, returns and rows."""
    count = 4 * draw(st.integers(1, 4))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps_ = draw(st.integers(1, 5))
    length = numbers.integers(1, steps_ + 1, count)
    length[0] = steps_
    valid = (np.arange(steps_) < length[:, None])[..., None]
    held = Trajectories(
        (numbers.normal(size=(count, steps_, 2)) * valid).astype("f4"),
        (numbers.normal(size=(count, steps_, 1)) * valid).astype("f4"),
        length.astype("i4"),
        (1000 * numbers.normal(size=count)).astype("f4"),
        np.tile([BETTER, BETTER, WORSE, WORSE], count // 4).astype("i1"),
        numbers.integers(0, 9, count).astype("i4"),
    )
    members = None
    if draw(st.booleans()):
        better, worse = (np.flatnonzero(held.agent == which) for which in (BETTER, WORSE))
        rows = [[numbers.permutation(one)[:2] for one in (better, worse)] for _ in range(3)]
        members = np.array(rows, "i4")
    card = {"format_version": 1, "task": "point", "backend": None, "episode_length": 5}
    return Pool(held, card, members)


@settings(max_examples=25, deadline=None)
@given(pool=pools())
def test_an_exported_pool_is_imported_as_it_was(pool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    exchange.write(pool, folder / "pool.npz")
    importing.run(folder / "pool.npz", folder / "back.safetensors", ImportSettings())
    back = Pool.load(folder / "back.safetensors")
    for name in Trajectories.__dataclass_fields__:
        expected = getattr(pool.trajectories, name)
        np.testing.assert_array_equal(getattr(back.trajectories, name), expected)
        assert getattr(back.trajectories, name).dtype == expected.dtype
    np.testing.assert_array_equal(back.of_rows, pool.of_rows)
    assert (back.members is None) == (pool.members is None)
    assert pool.card.items() <= back.card.items()


@pytest.mark.parametrize(
    "given",
    [
        {"name": "other"},
        {"seed": 5},
        {"episode_length": 20},
        {"task": "nonsense"},
        {"better": "1", "worse": "0"},
    ],
)
def test_an_exported_pool_refuses_options_that_its_reading_would_pass_over(read, tmp_path, given):
    exchange.write(pooling.make(read, ImportSettings(sources="policy")), tmp_path / "pool.npz")
    option = f"--{next(iter(given)).replace('_', '-')}"
    with pytest.raises(ValueError, match=f"is read as it was: leave {option} "):
        importing.run(tmp_path / "pool.npz", tmp_path / "b.safetensors", ImportSettings(**given))
    assert not (tmp_path / "b.safetensors").exists()


def test_an_exported_pool_is_paired_anew_where_the_options_say_how(read, tmp_path):
    exchange.write(pooling.make(read, ImportSettings(sources="policy")), tmp_path / "pool.npz")
    tiers = ImportSettings(better_share=0.25, name="tiers")
    importing.run(tmp_path / "pool.npz", tmp_path / "b.safetensors", tiers)
    card = Pool.load(tmp_path / "b.safetensors").card
    assert card["task"] == "tiers"
    assert card["better"]["episodes"] == 12


def test_an_episode_is_no_longer_than_the_length_that_is_named(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    short = ImportSettings(episode_length=LENGTH - 1)
    with pytest.raises(ValueError, match=f"has an episode of {LENGTH} steps"):
        importing.run(path, tmp_path / "b.safetensors", short)
    importing.run(path, tmp_path / "b.safetensors", ImportSettings(episode_length=LENGTH + 1))
    assert Pool.load(tmp_path / "b.safetensors").card["episode_length"] == LENGTH + 1


def test_a_changed_export_is_refused(read, tmp_path):
    pool = pooling.make(read, ImportSettings(sources="policy"))
    exchange.write(pool, tmp_path / "pool.npz")
    arrays = dict(np.load(tmp_path / "pool.npz"))
    for name, value, said in (
        (exchange.MEMBERS, arrays[exchange.MEMBERS] + 30, "row .* has the members"),
        (exchange.MEMBERS, np.zeros((3, 2, 2), int), "must have two trajectories of the better"),
        (exchange.CARD, np.array("[1]"), "is damaged: it is not a JSON object"),
        (exchange.CARD, np.array('{"task": 3}'), "task 3, but needs a text"),
        ("agent", np.full(len(arrays["agent"]), 7), "agent of episode 0 is 7"),
    ):
        np.savez(tmp_path / "changed.npz", **{**arrays, name: value})
        with pytest.raises(ValueError, match=said):
            importing.run(tmp_path / "changed.npz", tmp_path / "b.safetensors", ImportSettings())
    assert not (tmp_path / "b.safetensors").exists()


def test_held_out_pairs_share_no_episode_with_what_is_trained_on(read):
    pool = pooling.make(read, ImportSettings(sources="policy", rows=48))
    search, score = holding.split(pool, seed=0)

    def used(source):
        rows = source.of_rows if isinstance(source, Pool) else (source.chosen, source.rejected)
        return set(np.ravel(rows))

    assert not used(search.source) & (used(search.pairs) | used(score.pairs))
    assert not used(score.source) & used(score.pairs)
    assert used(search.source) < used(score.source)
    assert not score.pairs.flipped.any()
    assert score.source.rows + score.pairs.rows == 48


def test_labelled_data_hold_out_all_labels_of_a_pair_and_no_ties(read):
    pool = pooling.make(read, ImportSettings(sources="policy"))
    pairs = data.label(pool, "base", 0)
    both = [
        np.concatenate([a, b, b[:2]])
        for a, b in ((pairs.chosen, pairs.chosen[:5]), (pairs.rejected, pairs.rejected[:5]))
    ]
    # The first two pairs stand in both orders.
    both[0][-2:], both[1][-2:] = pairs.rejected[:2], pairs.chosen[:2]
    dataset = dataclasses.replace(pairs, chosen=both[0], rejected=both[1])
    search, score = holding.split(dataset, seed=3)

    def keys(part):
        ends = zip(part.chosen.tolist(), part.rejected.tolist(), strict=True)
        return {frozenset(pair) for pair in ends}

    assert not keys(score.source) & keys(score.pairs)
    assert not keys(search.source) & (keys(search.pairs) | keys(score.pairs))
    tied = {
        frozenset(pair) for pair in zip(both[0][:2].tolist(), both[1][:2].tolist(), strict=True)
    }
    assert tied <= keys(search.source)


def test_too_few_pairs_cannot_be_held_out(tmp_path):
    pool = pooling.make(
        steps.read(write_npz(tmp_path / "a.npz", episodes(count=8))), ImportSettings()
    )
    with pytest.raises(ValueError, match="2 groups of pairs that can be held out, but at least 10"):
        holding.split(pool, 0)


def test_noise_flips_given_labels_and_other_variants_need_a_pool(read):
    dataset = data.label(pooling.make(read, ImportSettings(sources="policy", rows=48)), "base", 0)
    same = views.label(dataset, "base", seed=4)
    np.testing.assert_array_equal(same.chosen, dataset.chosen)
    noisy = views.label(dataset, "noisy:0.3", seed=4)
    flipped = noisy.chosen == dataset.rejected
    np.testing.assert_array_equal(noisy.rejected[flipped], dataset.chosen[flipped])
    assert 0.1 < flipped.mean() < 0.5
    for variant in ("mixed-quality", "bad-judge:5"):
        with pytest.raises(ValueError, match="these data are labelled already"):
            views.label(dataset, variant, seed=4)
