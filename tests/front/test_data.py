"""Data made from Python: the command's files, datasets that stand for their path, and back."""

import gc

import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo.cli import main
from mirrorpo.preferences.data import Pool, PreferenceDataset
from tests.front.conftest import SEARCH
from tests.front.conftest import SMALL as SMALL_BENCH
from tests.preferences.own.recordings import write_npz

SMALL = {"variant": "noisy:0.1", "rows": 16, "episode_length": 60}


@pytest.fixture(scope="module")
def pairs(light_hopper):
    return mpo.generate("hopper", **SMALL)


def test_generated_pairs_are_those_of_the_command(pairs, tmp_path):
    out = tmp_path / "pairs.safetensors"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    main(["data", "generate", "hopper", "--out", str(out), *words])
    ours, theirs = PreferenceDataset.load(pairs), PreferenceDataset.load(out)
    assert ours.card == theirs.card
    for name in ("chosen", "rejected"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours.trajectories.actions, theirs.trajectories.actions)
    assert (pairs.rows, pairs.is_labelled, pairs.card["variant"]) == (16, True, "noisy:0.1")


def test_data_describe_themselves(pairs):
    assert list(pairs.table.columns) == ["chosen", "rejected"]
    assert pairs.facts.variant == "noisy:0.1"
    assert "16 pairs, variant noisy:0.1" in str(pairs)
    assert "<table" in pairs._repr_html_()


def test_data_stand_for_their_file(pairs):
    again = mpo.DataFile.load(pairs)
    assert (again.file, again.rows, again.card) == (pairs.file, 16, pairs.card)


def test_data_that_nothing_else_holds_last_as_long_as_the_call(light_hopper):
    with pytest.raises(ValueError, match="16 rows, fewer than a minibatch of 64"):
        mpo.train("sft", mpo.generate("hopper", **SMALL), minibatch=64)


def test_a_temporary_file_lives_as_long_as_its_data(light_hopper, tmp_path):
    made = mpo.generate("hopper", **SMALL)
    path = made.file
    kept = made.save(tmp_path / "kept.safetensors")
    assert PreferenceDataset.load(kept).rows == 16
    with pytest.raises(ValueError, match="nothing is overwritten"):
        made.save(kept)
    del made
    gc.collect()
    assert not path.exists()


def test_trajectories_of_others_become_a_pool_its_labels_and_an_archive(tmp_path):
    pool = mpo.import_data(write_npz(tmp_path / "steps.npz"), sources="policy", name="mine")
    assert (pool.is_labelled, pool.card["task"]) == (False, "mine")
    assert f"{pool.trajectories} trajectories" in pool.lines[0]
    with pytest.raises(ValueError, match="is a pool without labels"):
        _ = pool.facts
    labelled = mpo.label(pool, variant="mixed-quality", seed=3)
    assert labelled.facts.variant == "mixed-quality"
    with pytest.raises(ValueError, match="only a pool is exported"):
        labelled.export(tmp_path / "no.npz")
    back = mpo.import_data(pool.export(tmp_path / "pool.npz"))
    before, after = Pool.load(pool), Pool.load(back)
    np.testing.assert_array_equal(before.of_rows, after.of_rows)
    np.testing.assert_array_equal(before.trajectories.returns, after.trajectories.returns)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ties": "quarter"}, "ties is 'quarter', but must be drop or half"),
        ({"labels": "none.csv", "segment": 8}, "Cannot read labels at none.csv"),
    ],
)
def test_a_wrong_option_of_an_import_is_said_in_one_line(options, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        mpo.import_data(write_npz(tmp_path / "steps.npz"), **options)


def test_an_agent_is_evaluated_as_by_the_command(point_agents, light_hopper, capsys):
    found = mpo.evaluate(point_agents[0], episodes=4, seed=5)
    main(["agents", "evaluate", point_agents[0], "--episodes", "4", "--seed", "5"])
    assert str(found) == capsys.readouterr().out.strip()
    assert (found.agent, found.task, found.episodes) == ("better", "hopper", 4)
    with pytest.raises(ValueError, match="actions must be sampled or mean"):
        mpo.evaluate(point_agents[0], actions="best")


def test_a_named_cache_holds_the_trajectories_of_all_commands(light_hopper, tmp_path, monkeypatch):
    """Bench, search and data take one folder's: what one has simulated the others read."""
    monkeypatch.setenv("MIRRORPO_CACHE", str(tmp_path / "users"))
    named = tmp_path / "named"
    draw = {"rows": 16, "cache": named}
    mpo.generate("hopper", variant="noisy:0.1", **draw)
    first = {path.name for path in named.glob("*.safetensors")}
    mpo.bench(**(SMALL_BENCH | draw))
    mpo.discover(**(SEARCH | draw))
    assert len(first) == 1
    assert first < {path.name for path in named.glob("*.safetensors")}
    assert not (tmp_path / "users" / "pools").exists()


@pytest.mark.parametrize(
    "call",
    [
        lambda: mpo.bench(task="hopper", cache=3),
        lambda: mpo.discover(task="hopper", cache=3),
        lambda: mpo.generate("hopper", cache=3),
    ],
    ids=["bench", "discover", "generate"],
)
def test_a_cache_that_is_no_path_is_named(light_hopper, call):
    with pytest.raises(ValueError, match="cache is 3, but must be a path"):
        call()
