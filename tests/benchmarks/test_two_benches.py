"""Two benches side by side: pairs of the same draw and seed, and a correction for all rows."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import two_benches


def bench(scores, seeds=8, spread=1.0, seed=0):
    random = np.random.default_rng(seed)
    lines = [
        {"algorithm": name, "variant": "base", "phase": "final", "data_draw": at % 2, "seed": at}
        | {"return_mean": mean + 50 * at + spread * random.normal()}
        for name, mean in scores.items()
        for at in range(seeds)
    ]
    return pd.DataFrame(lines)


def test_what_agents_of_one_seed_have_in_common_cancels():
    first = bench({"sft": 0.0, "dpo": 100.0, "cpo": 5.0})
    second = bench({"dpo": 100.0, "sft": 30.0}, seed=1)
    found = two_benches.changes(first, second)
    assert list(found.index) == ["dpo", "sft"]
    assert found.loc["sft", "change"] == pytest.approx(30, abs=2)
    assert found["error"].max() < 2
    assert found.loc["sft", "corrected_p"] < 1e-6 < 0.05 < found.loc["dpo", "corrected_p"]


def test_only_agents_that_both_have_are_compared():
    first, second = bench({"sft": 0.0}, seeds=12), bench({"sft": 7.0}, seeds=4, seed=1)
    assert two_benches.changes(first, second).loc["sft", "change"] == pytest.approx(7, abs=2)


def test_the_report_has_a_table_per_shared_variant():
    text = "\n".join(two_benches.report(bench({"sft": 0.0}), bench({"sft": 1.0}, seed=1)))
    assert text.count("| loss |") == 1
    assert "base:" in text
    elsewhere = bench({"sft": 0.0}).assign(variant="noisy:0.3")
    with pytest.raises(ValueError, match="no variant in common"):
        list(two_benches.report(bench({"sft": 0.0}), elsewhere))
