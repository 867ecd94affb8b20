"""What a training sends elsewhere: nothing, unless it is asked to."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.align import recipe as recipes
from mirrorpo.language.align import run, short_form

from . import tiny

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*/*/*.yaml"))


@pytest.mark.parametrize("is_asked", [False, True])
def test_nothing_is_pushed_to_a_hub_unless_it_is_asked_for(is_asked, tmp_path, monkeypatch):
    pushed, ways = [], ("init_hf_repo", "_push_from_checkpoint", "push_to_hub")
    for name in ways:
        monkeypatch.setattr(PreferenceTrainer, name, lambda *_, own=name, **__: pushed.append(own))
    hub = {"push_to_hub": True, "hub_model_id": "owner/name"} if is_asked else {}
    made = tiny.trainer("cpo", tmp_path, max_steps=2, save_strategy="steps", save_steps=1, **hub)
    made.train()
    made.save_model(str(tmp_path / "model"))
    assert set(pushed) == (set(ways) if is_asked else set())


def test_settings_and_recipes_push_nothing_and_report_to_no_service(tmp_path):
    assert PreferenceConfig(str(tmp_path), use_cpu=True).push_to_hub is False
    assert len(RECIPES) > 20
    for path in RECIPES:
        config = run.settings(short_form.shrink(recipes.load(path)), tmp_path)
        assert (config.push_to_hub, config.report_to) == (False, [])


def test_a_recipe_reports_to_the_services_that_it_names(tmp_path):
    changes = {"report_to": ["tensorboard"], "run_name": "mine", "project": "ours"}
    asked = run.settings(short_form.shrink(recipes.load(RECIPES[0], changes)), tmp_path)
    assert (asked.report_to, asked.run_name, asked.project) == (["tensorboard"], "mine", "ours")
