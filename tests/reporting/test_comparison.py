import math

import pytest

from mirrorpo.reporting import comparison, paper
from tests.reporting.made_up import write_run


def test_the_papers_own_numbers_correlate_perfectly_with_themselves(tmp_path):
    theirs = paper.RESULTS["hopper"].scores
    scores = {v: {a: mean for a, (mean, _) in by.items()} for v, by in theirs.items()}
    run = comparison.read(write_run(tmp_path / "run", scores, sources=((2100, 1), (900, 1))))
    for column in run.columns:
        assert column.ranks.spearman == column.ranks.kendall == pytest.approx(1.0)
        assert column.pairs.share == 1.0
        for _, ours, normalised, other, other_normalised in column.rows:
            assert ours.split()[0] == other.split()[0]
            assert normalised.split()[0] == other_normalised.split()[0]


def test_the_paper_as_a_table_has_its_means_and_errors():
    table = paper.table("tla", "noisy:0.2").set_index("algorithm")
    assert table.loc["lpo"].tolist() == [2705, 370]
    assert len(table) == len(paper.RESULTS["tla"].scores["noisy:0.2"])


def test_concordance_is_over_what_the_paper_tells_apart(tmp_path):
    # The paper tells DPO from all others; it does not tell ORPO from SimPO, which we order
    # differently.
    scores = {"base": {"dpo": 2000.0, "ipo": 1500.0, "orpo": 1400.0, "simpo": 1300.0}}
    (column,) = comparison.read(write_run(tmp_path / "run", scores)).columns
    assert (column.pairs.both, column.pairs.alike) == (3, 0)
    assert "Concordance: 0 of 3 pairs" in column.agreement
    assert "95 % interval" in column.agreement


def test_scores_are_normalised_by_our_own_source_agents(tmp_path):
    run = comparison.read(write_run(tmp_path / "run", {"base": {"dpo": 1500.0, "cpo": 2000.0}}))
    (column,) = run.columns
    # Three agents' error of 0.58 and each source agent's of 5, on a scale of 1000.
    assert [row[2] for row in column.rows] == ["0.50 ± 0.00", "1.00 ± 0.01"]


def test_a_diverged_algorithm_has_no_rank(tmp_path):
    run = comparison.read(
        write_run(tmp_path / "run", {"base": {"dpo": None, "cpo": 2000.0, "ipo": 1000.0}})
    )
    (column,) = run.columns
    assert column.common == 2
    assert column.rows[0][1].startswith("diverged")


def test_of_two_common_algorithms_no_correlation_is_told(tmp_path):
    scores = {"base": {"dpo": 1.0, "cpo": 2.0, "slic": 3.0}}
    (column,) = comparison.read(write_run(tmp_path / "run", scores)).columns
    assert math.isnan(column.ranks.spearman)
    assert column.agreement.startswith("2 common algorithms, too few for a rank correlation")


def test_variants_that_the_paper_lacks_are_left_out(tmp_path):
    scores = {"base": {"dpo": 1.0, "cpo": 2.0}, "bad-judge:100": {"dpo": 1.0, "cpo": 2.0}}
    run = comparison.read(write_run(tmp_path / "run", scores))
    assert [column.variant for column in run.columns] == ["base"]
    assert "bad-judge" not in comparison.to_markdown(run)


def test_folders_without_a_bench_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        comparison.read(tmp_path)
    (tmp_path / "config.json").write_text('{"settings": {"task": "hopper"}}')
    with pytest.raises(ValueError, match="not a folder of `mirrorpo bench`"):
        comparison.read(tmp_path)


def test_a_task_that_the_paper_lacks_is_compared_with_nothing(tmp_path):
    run = comparison.read(write_run(tmp_path / "run", {"base": {"dpo": 1.0}}, task="walker2d"))
    assert run.columns == []


def test_every_published_algorithm_name_is_one_of_ours():
    from mirrorpo.study.algorithms import load

    for task in paper.RESULTS.values():
        for by_algorithm in task.scores.values():
            for name in by_algorithm:
                load(name)
