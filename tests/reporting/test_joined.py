"""Runs of one protocol and task become one table; each loss of a column comes from one run."""

import pytest

from mirrorpo.reporting import joined, paper
from tests.reporting.made_up import write_run


def join(tmp_path, *runs):
    """Runs as (scores, settings), named one, two, ..."""
    folders = [
        (name, write_run(tmp_path / name, scores, **settings))
        for name, (scores, settings) in zip(("one", "two", "three"), runs, strict=False)
    ]
    return joined.join(folders)


def means(group, variant="base"):
    return group.column(variant).groupby("algorithm").return_mean.mean().to_dict()


def test_losses_and_columns_of_runs_that_are_trained_alike_are_one_table(tmp_path):
    alike = {"protocol": "mirror", "learning_rate": 0.003}
    (group,) = join(
        tmp_path,
        ({"base": {"dpo": 1.0}}, {**alike, "seeds": 3}),
        ({"noisy:0.1": {"dpo": 3.0}, "base": {"cpo": 2.0}}, {**alike, "seeds": 2}),
    )
    assert group.names == ("one", "two")
    assert means(group) == {"dpo": 1.0, "cpo": 2.0}
    assert means(group, "noisy:0.1") == {"dpo": 3.0}
    assert group.variants == ["base", "noisy:0.1"]
    assert group.repeated == ()


@pytest.mark.parametrize(
    "other",
    [
        {"learning_rate": 0.001},
        {"protocol": "paper"},
        {"actions": "sampled"},
        {"time_steps": 9},
        {"hidden": [8]},
    ],
)
def test_runs_that_are_trained_or_scored_otherwise_stay_apart(tmp_path, other):
    base = {"protocol": "mirror", "learning_rate": 0.003, "actions": "mean"}
    scores = {"base": {"dpo": 1.0}}
    first, second = join(tmp_path, (scores, base), (scores, {**base, **other}))
    assert (first.names, second.names) == (("one",), ("two",))


def test_sampled_actions_are_known_by_both_their_names(tmp_path):
    scores = {"base": {"dpo": 1.0}}
    assert len(join(tmp_path, (scores, {"deterministic": False}), (scores, {}))) == 1
    apart = tmp_path / "apart"
    apart.mkdir()
    assert len(join(apart, (scores, {"deterministic": True}), (scores, {}))) == 2


def test_of_a_loss_that_two_runs_have_the_first_named_counts(tmp_path):
    (group,) = join(
        tmp_path,
        ({"base": {"dpo": 1.0, "cpo": 5.0}}, {}),
        ({"base": {"dpo": 2.0, "ipo": 3.0}}, {}),
    )
    assert means(group) == {"dpo": 1.0, "cpo": 5.0, "ipo": 3.0}
    assert group.repeated == (joined.Repeated("base", "dpo", "one", "two"),)


def test_cells_that_lack_agents_yet_are_left_out(tmp_path):
    scores = {"base": {"dpo": 1.0}, "noisy:0.1": {"dpo": 1.0}}
    (group,) = join(tmp_path, (scores, {"seeds": 4}))
    assert group.variants == []
    assert group.agents.empty


def test_a_loss_with_the_papers_own_values_is_the_papers_row(tmp_path):
    (group,) = join(tmp_path, ({"base": {"cpo": 7.0, "cpo[sft_weight=1]": 1.0}}, {}))
    assert means(group) == {"cpo": 1.0}


def test_the_agreement_is_over_the_papers_losses_of_a_column(tmp_path):
    theirs = paper.RESULTS["tla"].scores["base"]
    scores = {name: mean for name, (mean, _) in theirs.items()} | {"gated": -9.0}
    (group,) = join(tmp_path, ({"base": scores}, {"task": "tla"}))
    (found,) = joined.agreements(group)
    assert len(found.ranks.algorithms) == len(theirs)
    assert found.ranks.spearman == pytest.approx(1.0)
    assert found.pairs.alike == found.pairs.both > 40


def test_an_unknown_task_and_missing_source_agents_are_named(tmp_path):
    with pytest.raises(ValueError, match="one: the paper has no results"):
        join(tmp_path, ({"base": {"dpo": 1.0}}, {"task": "walker2d"}))
    folder = write_run(tmp_path / "new", {"base": {"dpo": 1.0}})
    (folder / "sources.json").unlink()
    with pytest.raises(ValueError, match="new has not scored its source agents"):
        joined.join([("new", folder)])


def test_a_loss_is_normalised_by_the_source_agents_of_its_own_run(tmp_path):
    (group,) = join(
        tmp_path,
        ({"base": {"dpo": 1.0}}, {"sources": ((9.0, 0.1), (1.0, 0.1))}),
        ({"base": {"cpo": 1.0}, "noisy:0.1": {"cpo": 1.0}}, {"sources": ((8.0, 0.1), (2.0, 0.1))}),
    )
    assert [source.mean for source in group.sources_of("base", "dpo")] == [9.0, 1.0]
    assert [source.mean for source in group.sources_of("base", "cpo")] == [8.0, 2.0]
    assert group.sources_of("noisy:0.1").better.mean == 8.0
