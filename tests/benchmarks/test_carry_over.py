"""Two tables' rank correlation is that of the objectives and variants that both have."""

import pandas as pd
import pytest

from benchmarks import carry_over


def table(path, scores, variant="base", error=0.1):
    rows = [
        {"variant": variant, "algorithm": name, "mean": mean, "standard_error": error}
        for name, mean in scores
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def compared(tmp_path, first, second, **options):
    one, two = (
        table(tmp_path / f"{number}.csv", scores, **options)
        for number, scores in enumerate((first, second))
    )
    tables = [carry_over.read([path])["base"] for path in (one, two)]
    return carry_over.compare(*tables)


FOUR = [("sft", 1.0), ("dpo", 2.0), ("cpo", 3.0), ("orpo", 4.0)]


def test_tables_that_agree_correlate_by_one_and_opposite_ones_by_minus_one(tmp_path):
    assert compared(tmp_path, FOUR, FOUR)["spearman"] == pytest.approx(1)
    against = [(name, -mean) for name, mean in FOUR]
    found = compared(tmp_path, FOUR, against)
    assert found["spearman"] == pytest.approx(-1)
    assert found["interval"] == pytest.approx([-1, -1])


def test_large_errors_leave_a_wide_interval(tmp_path):
    low, high = compared(tmp_path, FOUR, FOUR, error=10.0)["interval"]
    assert low < -0.5
    assert high > 0.5


def test_only_what_both_have_counts_and_the_best_of_several_rows(tmp_path):
    more = [("kto", 9.0), ("sft", -5.0), *FOUR]
    found = compared(tmp_path, more, FOUR)
    assert sorted(found["algorithms"]) == ["cpo", "dpo", "orpo", "sft"]
    assert found["spearman"] == pytest.approx(1)


def test_tables_before_the_last_count_together_and_the_default_schedule_need_not_be_said(tmp_path):
    one = table(tmp_path / "one.csv", [("sft", 1.0), ("ta-mpo[schedule=linear]", 2.0)])
    two = table(tmp_path / "two.csv", [("hopper-noisy", 3.0)])
    assert list(carry_over.read([one, two])["base"]) == ["sft", "ta-mpo", "hopper-noisy"]


def test_an_objective_with_a_diverged_agent_is_last(tmp_path):
    fell = [("sft", 1.0), ("dpo", 2.0), ("cpo", 3.0), ("orpo", None)]
    # 1 - 6 * (1 + 1 + 1 + 9) / 60 of four ranks.
    assert compared(tmp_path, fell, FOUR)["spearman"] == pytest.approx(-0.2)


def test_tables_without_a_common_variant_are_one_line(tmp_path, capsys):
    one = table(tmp_path / "one.csv", FOUR)
    two = table(tmp_path / "two.csv", FOUR, variant="noisy:0.3")
    with pytest.raises(SystemExit) as stopped:
        carry_over.main((one, two))
    assert stopped.value.code == 2
    assert "no variant in common: base and noisy:0.3" in capsys.readouterr().err
