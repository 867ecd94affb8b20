"""Two recipes run whole on a tiny model: fine-tuned, judged offline and by a served model."""

import pytest

from benchmarks import whole_recipe
from mirrorpo import files, json_lines

pytestmark = pytest.mark.slow


def test_both_recipes_are_trained_and_judged_twice(tmp_path):
    whole_recipe.main(tmp_path / "out", "smoke", rows=16, prompts=4, cache=tmp_path / "cache")
    rates = files.read_json(tmp_path / "out" / "win-rates.json", "win rates")
    assert set(rates) == set(whole_recipe.RECIPES)
    for name, own in rates.items():
        assert set(own) == {"vader", "served"}
        assert all(0 <= rate["value"] <= 100 for rate in own.values())
        first, *_ = json_lines.read(tmp_path / "out" / name / "metrics.jsonl")
        assert ("weight/preference" not in first) == (name == "dpo")  # SFT alone comes first
    pairs = json_lines.read(tmp_path / "out" / "pairs.jsonl")
    assert len(pairs) == 16
    assert all(row["prompt"][0]["content"].startswith("Continue this review") for row in pairs)
