"""Two tables' agreement is that of the objectives and variants that both have."""

import json

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
    return carry_over.compare(*(carry_over.read([path]) for path in (one, two)))


FOUR = [("sft", 1.0), ("dpo", 2.0), ("cpo", 3.0), ("orpo", 4.0)]


def test_tables_that_agree_correlate_by_one_and_opposite_ones_by_minus_one(tmp_path):
    ranks, pairs = compared(tmp_path, FOUR, FOUR)
    assert ranks.spearman == ranks.kendall == pytest.approx(1)
    assert (pairs.alike, pairs.both) == (6, 6)
    against = [(name, -mean) for name, mean in FOUR]
    ranks, pairs = compared(tmp_path, FOUR, against)
    assert ranks.spearman == ranks.kendall == pytest.approx(-1)
    assert (pairs.alike, pairs.both) == (0, 6)


def test_large_errors_leave_a_wide_interval_and_no_pair_told_apart(tmp_path):
    ranks, pairs = compared(tmp_path, FOUR, FOUR, error=10.0)
    low, high = ranks.spearman_interval
    assert low < -0.5
    assert high > 0.5
    assert pairs.both == 0


def test_the_interval_is_over_objectives_too(tmp_path):
    names = "abcdefgh"
    one = [(name, float(place)) for place, name in enumerate(names)]
    two = [(name, float(place)) for place, name in enumerate("bacdefhg")]
    ranks, _ = compared(tmp_path, one, two, error=1e-6)
    assert ranks.spearman == pytest.approx(1 - 6 * 4 / (8 * 63))
    assert ranks.spearman_interval[0] < ranks.spearman - 0.05


def test_only_what_both_have_counts_and_the_best_of_several_rows(tmp_path):
    more = [("kto", 9.0), ("sft", -5.0), *FOUR]
    ranks, _ = compared(tmp_path, more, FOUR)
    assert sorted(ranks.algorithms) == ["cpo", "dpo", "orpo", "sft"]
    assert ranks.spearman == pytest.approx(1)


def test_tables_before_the_last_count_together_and_the_default_schedule_need_not_be_said(tmp_path):
    one = table(tmp_path / "one.csv", [("sft", 1.0), ("ta-mpo[schedule=linear]", 2.0)])
    two = table(tmp_path / "two.csv", [("hopper-noisy", 3.0)])
    assert carry_over.read([one, two])["algorithm"].tolist() == ["sft", "ta-mpo", "hopper-noisy"]


def test_of_several_tables_the_first_one_s_result_counts(tmp_path):
    first = table(tmp_path / "first.csv", [("sft", 1.0), ("dpo", 2.0)])
    again = table(tmp_path / "again.csv", [("sft", 5.0), ("cpo", 3.0)])
    means = carry_over.read([first, again]).set_index("algorithm")["mean"]
    assert means.to_dict() == {"sft": 1.0, "dpo": 2.0, "cpo": 3.0}


def test_an_objective_with_a_diverged_agent_is_last(tmp_path):
    fell = [("sft", 1.0), ("dpo", 2.0), ("cpo", 3.0), ("orpo", None)]
    # 1 - 6 * (1 + 1 + 1 + 9) / 60 of four ranks.
    ranks, _ = compared(tmp_path, fell, FOUR)
    assert ranks.spearman == pytest.approx(-0.2)


def test_the_findings_are_written_with_null_for_what_is_unknown(tmp_path):
    one, two = (table(tmp_path / f"{number}.csv", FOUR) for number in "12")
    carry_over.main((one, two), tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())["variants"]["base"]
    assert found["spearman"] == pytest.approx(1)
    assert found["concordance"] == 1
    few = table(tmp_path / "few.csv", FOUR[:2])
    carry_over.main((one, few), tmp_path / "few.json")
    text = (tmp_path / "few.json").read_text()
    assert json.loads(text)["variants"]["base"]["spearman"] is None
    assert "NaN" not in text


def test_several_tables_may_be_the_second(tmp_path, capsys):
    paths = [
        table(tmp_path / f"{name}.csv", scores)
        for name, scores in (("one", FOUR), ("two", FOUR[:2]), ("three", FOUR[2:]))
    ]
    carry_over.main(tuple(paths), last=2)
    assert "over 4 common algorithms: 1.00" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        carry_over.main(tuple(paths), last=3)
    assert "--last is 3, but must leave some of the 3 tables" in capsys.readouterr().err


def test_tables_without_a_common_variant_are_one_line(tmp_path, capsys):
    one = table(tmp_path / "one.csv", FOUR)
    two = table(tmp_path / "two.csv", FOUR, variant="noisy:0.3")
    with pytest.raises(SystemExit) as stopped:
        carry_over.main((one, two))
    assert stopped.value.code == 2
    assert "no variant in common: base and noisy:0.3" in capsys.readouterr().err
