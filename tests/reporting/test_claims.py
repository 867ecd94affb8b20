"""Claims are judged by the pairs that a table tells apart."""

import pytest

from mirrorpo.reporting import claims, joined
from mirrorpo.reporting.claims import Claim, ScoreKey
from tests.reporting.made_up import write_run

ABOVE = {
    "base": (
        (ScoreKey("base", "a"), ScoreKey("base", "b")),
        (ScoreKey("base", "a"), ScoreKey("base", "c")),
    ),
    "noisy:0.1": ((ScoreKey("noisy:0.1", "a"), ScoreKey("noisy:0.1", "b")),),
}


def found(scores, error=1.0, **how):
    """The finding on a claim that `a` is above `b` and `c` on clean data, and above `b` elsewhere.

    Scores as column -> loss -> mean.
    """
    known = {
        ScoreKey(variant, name): (mean, error)
        for variant, row in scores.items()
        for name, mean in row.items()
    }
    return claims.held_against(Claim("4.2", "a is best", "tla", ABOVE, **how), known)


def test_a_claim_is_supported_where_every_column_tells_its_pairs_apart_as_claimed():
    scores = {"base": {"a": 9, "b": 1, "c": 2}, "noisy:0.1": {"a": 9, "b": 1}}
    assert found(scores).text == "supported: base 2/2, noisy:0.1 1/1"
    assert found(scores, error=9.0).text == "open: base 0/0, noisy:0.1 0/0"


def test_one_column_against_it_is_enough_to_not_support_it():
    scores = {"base": {"a": 9, "b": 1, "c": 2}, "noisy:0.1": {"a": 1, "b": 9}}
    assert found(scores).text == "not supported: base 2/2, noisy:0.1 0/1"
    del scores["base"]
    assert found(scores).verdict == "not supported"


def test_what_is_not_measured_leaves_it_open_and_is_said():
    assert found({}).text == "open: not measured"
    scores = {"base": {"a": 9, "b": 1}, "noisy:0.1": {"b": 1}}
    assert found(scores).text == ("open: base 1/1 [1 of 2 measured]; not measured: 1 of 2 columns")


def test_of_most_pairs_all_columns_count_together():
    scores = {"base": {"a": 9, "b": 1, "c": 2}, "noisy:0.1": {"a": 1, "b": 9}}
    assert found(scores, most=True).verdict == "supported"
    assert found({"base": scores["base"]}, most=True).verdict == "supported"
    scores["base"]["c"] = 20
    assert found(scores, most=True).verdict == "not supported"


def test_matching_is_enough_for_a_claim_of_at_least_as_good():
    even = {"base": {"a": 5, "b": 5, "c": 5}, "noisy:0.1": {"a": 5, "b": 5}}
    assert found(even).verdict == "open"
    assert found(even, or_equal=True).text == "supported: base 2/2, noisy:0.1 1/1"
    assert found({**even, "noisy:0.1": {"a": 1, "b": 5}}, or_equal=True).verdict == "not supported"


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.text)
def test_the_papers_own_table_speaks_against_none_of_its_claims(claim):
    own = claims.held_against(claim, claims.papers_scores(claim.task))
    assert own.verdict in ("supported", "open")
    for count in own.columns.values():
        assert count.measured == count.pairs > 0


def test_the_papers_table_tells_slic_from_rrhf_in_one_column_only():
    (claim,) = (claim for claim in claims.CLAIMS if "RRHF" in claim.text)
    own = claims.held_against(claim, claims.papers_scores("tla"))
    assert own.verdict == "open"
    assert [name for name, count in own.columns.items() if count.told_apart] == ["noisy:0.2"]


def test_scores_of_runs_have_their_source_agent_and_no_diverged_loss(tmp_path):
    folder = write_run(tmp_path / "run", {"base": {"dpo": 1500.0, "cpo": None, "gated": 1.0}})
    (group,) = joined.join([("run", folder)])
    scores = claims.our_scores(group)
    assert scores.keys() == {ScoreKey("base", "dpo"), ScoreKey("base", claims.TARGET)}
    assert scores[ScoreKey("base", "dpo")] == pytest.approx((1500.0, 3**-0.5))
    assert scores[ScoreKey("base", claims.TARGET)] == (2000.0, 5.0)
