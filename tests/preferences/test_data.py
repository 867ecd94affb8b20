import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from mirrorpo import versions
from mirrorpo.agents.agent_files import load
from mirrorpo.damage import DamageWarning
from mirrorpo.preferences import data, facts, pools
from mirrorpo.simulation import rollout, tasks
from mirrorpo.variants import BadJudge, MixedQuality, Noisy, Variant, parse
from tests import point_task


def synthetic_pool(rows=4000, seed=0, better=2000.0, worse=900.0, spread=50.0):
    """A pool with known returns and no steps to speak of."""
    draw = np.random.default_rng(seed)
    count = rows * 4
    agent = np.tile([0, 0, 1, 1], rows).astype("i1")
    returns = np.where(agent == 0, better, worse) + spread * draw.normal(size=count)
    trajectories = data.Trajectories(
        observations=np.zeros((count, 1, 2), "f4"),
        actions=np.zeros((count, 1, 1), "f4"),
        length=np.ones(count, "i4"),
        returns=returns.astype("f4"),
        agent=agent,
        start=np.repeat(np.arange(rows), 4).astype("i4"),
    )
    return data.Pool(trajectories, {"task": "synthetic", "format_version": 1})


def test_base_pairs_hold_one_trajectory_of_each_agent_and_the_better_is_chosen():
    dataset = data.label(synthetic_pool(), "base", seed=0)
    agent = dataset.trajectories.agent
    assert (agent[dataset.chosen] == data.BETTER).all()
    assert (agent[dataset.rejected] == data.WORSE).all()
    assert not dataset.flipped.any()


@pytest.mark.parametrize("variant", ["base", "noisy:0.3", "mixed-quality", "bad-judge:300"])
def test_both_trajectories_of_a_pair_start_in_one_state_and_differ(variant):
    dataset = data.label(synthetic_pool(), variant, seed=1)
    start = dataset.trajectories.start
    np.testing.assert_array_equal(start[dataset.chosen], start[dataset.rejected])
    assert (dataset.chosen != dataset.rejected).all()


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
def test_noise_flips_its_share_of_the_labels(noise):
    dataset = data.label(synthetic_pool(), f"noisy:{noise}", seed=2)
    error = np.sqrt(noise * (1 - noise) / dataset.rows)
    assert abs(dataset.flipped.mean() - noise) < 4 * error


def test_mixed_quality_pairs_are_a_quarter_a_half_a_quarter():
    dataset = data.label(synthetic_pool(), "mixed-quality", seed=3)
    described = facts.describe(dataset)
    np.testing.assert_allclose(described.pairings, (0.25, 0.5, 0.25), atol=0.04)
    # At temperature 1 the judge errs on near ties alone: two trajectories of one agent.
    returns = dataset.trajectories.returns
    gap = returns[dataset.rejected] - returns[dataset.chosen]
    assert gap.max() < 12


def test_a_bad_judge_errs_as_bradley_terry_at_its_temperature_says():
    pool = synthetic_pool(rows=20_000, better=1000.0, worse=900.0, spread=0.0)
    dataset = data.label(pool, "bad-judge:100", seed=4)
    wrong = 1 / (1 + np.exp(100.0 / 100.0))
    assert abs(dataset.flipped.mean() - wrong) < 4 * np.sqrt(wrong * (1 - wrong) / 20_000)


def test_a_judge_of_huge_returns_stays_finite():
    dataset = data.label(synthetic_pool(rows=10, better=1e9, worse=-1e9), "base", seed=5)
    assert not dataset.flipped.any()


def test_variants_of_one_seed_differ_in_their_fault_alone():
    pool = synthetic_pool()
    base, noisy = data.label(pool, "base", seed=6), data.label(pool, "noisy:0.2", seed=6)
    same = base.chosen == noisy.chosen
    np.testing.assert_array_equal(base.chosen[~same], noisy.rejected[~same])
    np.testing.assert_array_equal(~same, noisy.flipped)


def test_noise_can_be_added_to_mixed_quality():
    assert parse("mixed-quality+noisy:0.1") == Variant((Noisy(0.1), MixedQuality()))
    assert str(Variant((Noisy(0.1), MixedQuality(), BadJudge(1.0)))) == "mixed-quality+noisy:0.1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noisy:0.5", "below 0.5"),
        ("noisy:-0.1", "at least 0"),
        ("noisy:nan", "at least 0"),
        ("noisy", "needs a number"),
        ("noisy:much", "needs a number"),
        ("noisi:0.1", "Did you mean noisy"),
        ("base:3", "takes no number"),
        ("bad-judge:0", "positive"),
        ("bad-judge:inf", "finite"),
        ("", "Unknown variant"),
        ("noisy:0.4999999999999999", "below 0.5"),
        ("noisy:0.1+noisy:0.2", "noisy is given twice"),
        ("mixed-quality+mixed-quality", "mixed-quality is given twice"),
        ("bad-judge:5+noisy:0.1+bad-judge:6", "bad-judge is given twice"),
    ],
)
def test_bad_variants_say_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["noisy:0.1", "noisy:0.123456789", "noisy:0.4999994", "bad-judge:1234567", "noisy:1e-20"],
)
def test_a_variant_s_text_gives_the_same_variant_again(text):
    variant = parse(text)
    assert parse(str(variant)) == variant
    assert str(parse("noisy:0.10")) == "noisy:0.1"


@pytest.mark.parametrize("rows", [0, -1, 4001])
def test_rows_out_of_range_are_refused(rows):
    with pytest.raises(ValueError, match="rows must be between"):
        data.label(synthetic_pool(), "base", seed=0, rows=rows)


def test_the_pool_is_ordered_by_start_agent_and_copy(pool):
    t = pool.trajectories
    assert pool.rows == 120
    np.testing.assert_array_equal(t.start, np.repeat(np.arange(120), 4))
    np.testing.assert_array_equal(t.agent, np.tile([0, 0, 1, 1], 120))
    first = t.observations[:, 0].reshape(120, 4, -1)
    np.testing.assert_array_equal(first, np.repeat(first[:, :1], 4, axis=1))
    assert len(np.unique(first[:, 0], axis=0)) == 120
    actions = t.actions[:, 0].reshape(120, 4, -1)
    assert (actions[:, 0] != actions[:, 1]).any(axis=-1).all(), "copies act on their own noise"


@pytest.mark.parametrize("robot", ["point", pytest.param("hopper", marks=pytest.mark.slow)])
def test_recorded_trajectories_replay_to_their_returns(
    robot, point, two_points, hopper, two_agents
):
    """Stepping the simulator with the recorded actions gives the recorded rewards."""
    task, agents = (hopper, two_agents) if robot == "hopper" else (point, two_points)
    t = data.simulate(task, 120, 3, *agents).trajectories
    start_key, _ = jax.random.split(jax.random.key(3))
    reset, step = jax.jit(task.reset), jax.jit(task.step)
    for index in (0, 3, 4 * 119 + 2):
        state = reset(jax.random.fold_in(start_key, int(t.start[index])))
        np.testing.assert_allclose(state.obs, t.observations[index, 0], atol=1e-6)
        total = 0.0
        for action in t.actions[index, : t.length[index]]:
            state = step(state, action)
            total += float(state.reward)
        np.testing.assert_allclose(total, t.returns[index], rtol=0.02, atol=0.5)
        assert bool(state.done) or t.length[index] == task.episode_length


def test_steps_after_a_fall_are_not_valid_and_hold_zeros(pool):
    t = pool.trajectories
    assert t.length.min() < t.length.max() <= 60
    after = np.arange(60) >= t.length[:, None]
    assert (t.observations[after] == 0).all()
    assert (t.actions[after] == 0).all()
    assert (t.observations[~after] != 0).any(axis=-1).all()


def test_an_interrupted_simulation_goes_on_to_the_same_pool(point, two_points, pool, tmp_path):
    class Killed(Exception):
        pass

    def kill_after_the_first_part(done, of):
        assert of == 2
        if done == 1:
            raise Killed

    arguments = {"seed": 3, "better": two_points[0], "worse": two_points[1]}
    parts = tmp_path / "parts"
    with pytest.raises(Killed):
        data.simulate(point, 120, parts=parts, progress=kill_after_the_first_part, **arguments)
    assert len(list(parts.iterdir())) == 1
    again = data.simulate(point, 120, parts=parts, **arguments)
    for name in data.Trajectories.__dataclass_fields__:
        np.testing.assert_array_equal(
            getattr(again.trajectories, name), getattr(pool.trajectories, name)
        )


def test_a_part_that_is_damaged_or_of_another_pool_is_said_and_made_again(
    point, two_points, pool, tmp_path
):
    arguments = {"better": two_points[0], "worse": two_points[1], "parts": tmp_path / "parts"}
    data.simulate(point, 120, seed=3, **arguments)
    _, second = sorted(arguments["parts"].iterdir())
    second.write_bytes(second.read_bytes()[:-100])
    with pytest.warns(DamageWarning, match=r"part-00001.* It is simulated again") as said:
        again = data.simulate(point, 120, seed=3, **arguments)
    assert len(said) == 1
    np.testing.assert_array_equal(again.trajectories.returns, pool.trajectories.returns)
    with pytest.warns(DamageWarning, match="is a part of another pool. It is simulated again"):
        other = data.simulate(point, 120, seed=4, **arguments)
    assert not np.array_equal(other.trajectories.returns, pool.trajectories.returns)


@pytest.fixture
def cached(point, two_points, tmp_path):
    return lambda: pools.cached(point, 120, 3, *two_points, tmp_path / "cache")


def test_what_a_kill_leaves_beside_a_pool_does_not_keep_it_from_being_made(cached, pool, tmp_path):
    cached()
    (path,) = (tmp_path / "cache").glob("*.safetensors")
    parts = path.with_suffix(".parts")
    parts.mkdir()
    path.unlink()
    for name in (
        parts / ".part-00000.safetensors.ab.part",
        path.with_name(f".{path.name}.cd.part"),
    ):
        name.write_bytes(b"half")
    made = cached()
    np.testing.assert_array_equal(made.trajectories.returns, pool.trajectories.returns)
    assert sorted((tmp_path / "cache").iterdir()) == [path.with_suffix(".json"), path]


def test_a_whole_cache_is_as_good_as_its_folder_of_pools(cached, pool, tmp_path, monkeypatch):
    cached()
    inside = tmp_path / "cache" / "pools"
    inside.mkdir()
    for path in (tmp_path / "cache").glob("*.*"):
        path.rename(inside / path.name)
    monkeypatch.setattr(data, "simulate", None)
    np.testing.assert_array_equal(cached().trajectories.returns, pool.trajectories.returns)


def test_a_pool_of_an_older_version_of_mirrorpo_is_taken_and_one_of_another_simulator_is_not(
    cached, pool, monkeypatch
):
    cached()
    simulated = []
    monkeypatch.setattr(data, "simulate", lambda *given: simulated.append(given) or pool)
    installed = versions.installed()
    monkeypatch.setattr(versions, "installed", lambda: {**installed, "mirrorpo": "99.0"})
    cached()
    assert not simulated
    monkeypatch.setattr(versions, "installed", lambda: {**installed, "brax": "99.0"})
    cached()
    assert len(simulated) == 1


def test_a_damaged_pool_of_the_cache_is_said_and_made_again(cached, pool, tmp_path):
    cached()
    (path,) = (tmp_path / "cache").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.warns(DamageWarning, match="It is simulated again"):
        made = cached()
    np.testing.assert_array_equal(made.trajectories.returns, pool.trajectories.returns)
    # Not byte for byte: the order of a header's entries is no one's promise.
    again = data.Pool.load(path)
    np.testing.assert_array_equal(again.trajectories.actions, pool.trajectories.actions)


def test_two_that_want_one_pool_at_once_simulate_it_once(
    point, two_points, pool, tmp_path, monkeypatch
):
    simulated, waited, simulate = [], [], data.simulate

    def slowly(*arguments):
        simulated.append(1)
        while not waited:  # the other is there
            time.sleep(0.01)
        return simulate(*arguments)

    monkeypatch.setattr(data, "simulate", slowly)
    folder = tmp_path / "cache"

    def want(rest):
        return pools.cached(point, 120, 3, *two_points, folder, waiting=waited.append)

    with ThreadPoolExecutor() as threads:
        both = list(threads.map(want, range(2)))
    assert len(simulated) == 1
    assert f"process {os.getpid()} on" in waited[0]
    for one in both:
        np.testing.assert_array_equal(one.trajectories.returns, pool.trajectories.returns)


def test_a_saved_dataset_comes_back_whole_and_holds_only_what_it_uses(pool, tmp_path):
    dataset = data.label(pool, "noisy:0.2", seed=0)
    path = tmp_path / "pairs.safetensors"
    dataset.save(path)
    again = data.PreferenceDataset.load(path)
    assert again.card["variant"] == "noisy:0.2"
    assert len(again.trajectories) == 2 * dataset.rows < len(dataset.trajectories)
    for side in ("chosen", "rejected"):
        np.testing.assert_array_equal(
            again.trajectories.observations[getattr(again, side)],
            dataset.trajectories.observations[getattr(dataset, side)],
        )
    np.testing.assert_array_equal(again.flipped, dataset.flipped)
    np.testing.assert_array_equal(again.observation_moments(), dataset.observation_moments())


def test_truncated_foreign_and_changed_files_are_refused(pool, tmp_path):
    path = tmp_path / "pairs.safetensors"
    data.label(pool, "base", seed=0, rows=5).save(path)
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated"):
        data.PreferenceDataset.load(path)

    changed = bytearray(whole)
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(ValueError, match="checksum"):
        data.PreferenceDataset.load(path)

    path.write_text("once upon a time")
    with pytest.raises(ValueError, match="not a preference dataset"):
        data.PreferenceDataset.load(path)

    with pytest.raises(ValueError, match="does not exist"):
        data.PreferenceDataset.load(tmp_path / "nothing.safetensors")

    pool.save(tmp_path / "pool.safetensors")
    with pytest.raises(ValueError, match="its format is 'mirrorpo-pool'"):
        data.PreferenceDataset.load(tmp_path / "pool.safetensors")


def test_a_newer_format_is_refused(pool, tmp_path, monkeypatch):
    path = tmp_path / "pairs.safetensors"
    dataset = data.label(pool, "base", seed=0, rows=5)
    newer = data.PreferenceDataset(
        dataset.trajectories,
        dataset.chosen,
        dataset.rejected,
        {**dataset.card, "format_version": 9},
    )
    newer.save(path)
    with pytest.raises(ValueError, match="newer MirrorPO"):
        data.PreferenceDataset.load(path)


def test_agents_of_another_robot_are_refused(two_agents):
    with pytest.raises(ValueError, match="11 observations, but task 'ant' has 27"):
        data.simulate(tasks.load("ant"), 5, 0, *two_agents)


def test_rollouts_of_mean_actions_need_no_noise(tmp_path):
    point = tasks.load(point_task.NAME)
    policy, _ = load(point_task.write_agents(tmp_path)[0])
    starts, _ = rollout.episode_keys(jax.random.key(0), 3)
    first = rollout.returns(point, policy, starts, None, 60)
    second = rollout.returns(point, policy, starts, None, 60)
    np.testing.assert_array_equal(first, second)


def test_the_card_beside_a_dataset_is_readable(pool, tmp_path):
    data.label(pool, "base", seed=0, rows=5).save(tmp_path / "pairs.safetensors")
    card = json.loads((tmp_path / "pairs.json").read_text())
    assert card["better"]["name"] == "first"
    assert card["rows"] == 5
    assert len(card["sha256"]) == 64
