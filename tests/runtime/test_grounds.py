"""What a run's numbers stand on is told by its configuration, old ones included."""

import ast
import re
from pathlib import Path

import pytest

from mirrorpo import grounds
from mirrorpo.reporting.published import store

ROOT = Path(__file__).parents[2]
INDEX = store.read_index(ROOT / "results")


@pytest.mark.parametrize(
    ("config", "ground"),
    [
        ({"versions": {"mirrorpo": "0.2.0.dev0"}, "settings": {"task": "hopper"}}, "0.2.0"),
        ({"versions": {"mirrorpo": "1.0.0"}}, "0.2.0"),
        # Made on the new ground before the version changed.
        ({"versions": {"mirrorpo": "0.1.0"}, "settings": {"protocol": "mirror"}}, "0.2.0"),
        ({"settings": {"protocol": "paper"}}, "0.2.0"),
        ({"versions": {"mirrorpo": "0.1.0"}, "settings": {"anneal": True}}, "0.1.0"),
        ({"settings": {"anneal": True}}, "0.1.0"),
        ({"versions": {"mirrorpo": "unknown: not installed"}}, None),
        ({"versions": None, "settings": None}, None),
        ({}, None),
    ],
)
def test_the_ground_of_a_run(config, ground):
    assert grounds.of(config) == ground


def test_every_published_run_says_its_ground_and_both_are_there():
    found = {name: entry.ground for name, entry in INDEX.items()}
    assert set(found.values()) == set(grounds.GROUNDS)
    assert (found["hopper-table6"], found["leaderboard-hopper-noisy"]) == grounds.GROUNDS
    # Runs that record no settings are told by hand.
    assert (found["tla-target"], found["source-agents"]) == grounds.GROUNDS


@pytest.mark.parametrize("hook", ["leaderboard", "evidence", "zoo"])
def test_no_table_or_advice_mixes_the_grounds(hook):
    tree = ast.parse((ROOT / "docs" / "hooks" / f"{hook}.py").read_text("utf-8"))
    texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    used = {name for name in INDEX if name in texts}
    assert len(used) > 4
    assert {INDEX[name].ground for name in used} == {grounds.NEW}


def test_what_a_run_is_for_names_pages_that_are_there():
    for name, entry in INDEX.items():
        for page in re.findall(r"(?:docs|benchmarks)/[\w/-]+\.\w+", entry.purpose):
            assert (ROOT / page).is_file(), f"{name} is for {page}"
