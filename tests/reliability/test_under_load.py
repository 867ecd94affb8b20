"""Runs under faults and beside a load, in short; docs/reliability.md has the long ones."""

import pytest

from tests.reliability import ppo_beside_load


@pytest.mark.slow
def test_a_search_whose_workers_and_driver_are_killed_finds_what_an_undisturbed_one_finds(tmp_path):
    pytest.importorskip("ray")
    from tests.reliability import ray_faults

    found = ray_faults.disturb(tmp_path, generations=24, kill_every=15.0)
    assert found.wrong == []
    assert found.killed >= 1
    assert len(found.driver_killed) == 1
    assert found.diverged >= 1


@pytest.mark.slow
def test_ppo_beside_a_load_comes_to_its_end(tmp_path):
    assert ppo_beside_load.ended("point", runs=3, steps=16_384, load=2, folder=tmp_path) == 3
