"""What the paper says in words of its tables on robots, held against a table.

A claim is taken apart into pairs of scores, the first of which it says to be the higher one. A
table tells a pair apart by two standard errors of its difference. The paper's own table is judged
by the same rule.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mirrorpo.reporting.joined import JoinedRuns
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.study.statistics import row_means
from mirrorpo.study.statistics.concordance import ERRORS

TARGET = "better source agent"
"""Stands for a loss in a pair; it has the same score in every column."""

NEARLY_ALL, HALF = 0.8, 0.5

WITH_SFT_TERM = ("sft", "cpo", "orpo", "slic", "rrhf", "lpo")
"""Losses whose formula in the paper has an SFT term throughout training."""

WITHOUT_SFT_TERM = ("dpo", "ipo", "simpo", "rdpo", "kto", "fdpo")

BY_HAND = ("rrhf", "slic", "dpo", "ipo", "cpo", "orpo", "rdpo", "simpo", "sft", "kto", "fdpo")
"""What the paper calls human-designed: the rows above its own."""

_QUADRATIC = "ta-mpo[schedule=quadratic]"
_NOISES = ("noisy:0.1", "noisy:0.2", "noisy:0.3")
_FAULTS = ("mixed-quality", *_NOISES)
_ALL = ("base", *_FAULTS)


class ScoreKey(NamedTuple):
    """One score of a table: a column and a loss, or `TARGET`."""

    variant: str
    algorithm: str


Scores = Mapping[ScoreKey, tuple[float, float]]
"""Means and standard errors. A loss has none where one of its agents diverged."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        section: the section of the paper.
        text: the claim in our words.
        task: the task that it is about.
        pairs: column -> pairs of (higher, lower), of rows that the paper has there.
        or_equal: whether a pair that is not told apart counts as claimed ("matches or surpasses").
        most: whether it speaks of most pairs, all columns together, in place of each column.
    """

    section: str
    text: str
    task: str
    pairs: Mapping[str, tuple[tuple[ScoreKey, ScoreKey], ...]]
    or_equal: bool = False
    most: bool = False


@dataclass(frozen=True)
class Count:
    """The pairs of a claim in one column, or in all.

    Attributes:
        pairs: how many the claim has.
        measured: how many of them have a score on both sides.
        told_apart: how many of the measured ones are told apart, or count as claimed though they
            are not told apart.
        as_claimed: how many of `told_apart` are as claimed.
        share: the share of `told_apart` that must be as claimed.
    """

    pairs: int
    measured: int
    told_apart: int
    as_claimed: int
    share: float = NEARLY_ALL

    @property
    def verdict(self) -> Literal["supported", "not supported", "open"]:
        """Open where under half of the pairs are measured, or under half of these told apart."""
        if 2 * self.measured < self.pairs or 2 * self.told_apart < self.measured:
            return "open"
        if self.as_claimed >= self.share * self.told_apart and self.as_claimed:
            return "supported"
        return "not supported" if self.as_claimed <= HALF * self.told_apart else "open"

    @property
    def text(self) -> str:
        """As claimed / told apart, and how much of it is measured."""
        part = "" if self.measured == self.pairs else f" [{self.measured} of {self.pairs} measured]"
        return f"{self.as_claimed}/{self.told_apart}{part}"


@dataclass(frozen=True)
class Finding:
    """A claim held against a table.

    Attributes:
        columns: the count of each column of the claim.
        verdict: a claim about each column is not supported if one column speaks against it,
            supported if every column speaks for it, else open. A claim about most pairs has the
            verdict of all pairs together.
    """

    columns: Mapping[str, Count]
    verdict: Literal["supported", "not supported", "open"]

    @property
    def text(self) -> str:
        """The verdict, the numbers of what is measured, and how many columns are not."""
        measured = [
            f"{name} {count.text}" for name, count in self.columns.items() if count.measured
        ]
        if not measured:
            return f"{self.verdict}: not measured"
        lacking = len(self.columns) - len(measured)
        rest = f"; not measured: {lacking} of {len(self.columns)} columns" if lacking else ""
        return f"{self.verdict}: {', '.join(measured)}{rest}"


def held_against(claim: Claim, scores: Scores) -> Finding:
    """Count a claim's pairs in a table."""
    columns = {
        variant: _count(pairs, scores, claim) for variant, pairs in claim.pairs.items() if pairs
    }
    if claim.most:
        pairs, measured, told_apart, as_claimed = (
            sum(getattr(count, name) for count in columns.values())
            for name in ("pairs", "measured", "told_apart", "as_claimed")
        )
        whole = Count(pairs, measured, told_apart, as_claimed, share=HALF)
        return Finding(columns, whole.verdict)
    verdicts = {count.verdict for count in columns.values()}
    if "not supported" in verdicts:
        return Finding(columns, "not supported")
    return Finding(columns, "supported" if verdicts == {"supported"} else "open")


def _count(pairs: Iterable[tuple[ScoreKey, ScoreKey]], scores: Scores, claim: Claim) -> Count:
    every = list(pairs)
    gaps = [_gap(scores[high], scores[low]) for high, low in every if {high, low} <= scores.keys()]
    against = sum(gap < -ERRORS for gap in gaps)
    as_claimed = sum(gap > ERRORS for gap in gaps)
    if claim.or_equal:
        as_claimed = len(gaps) - against
    return Count(len(every), len(gaps), as_claimed + against, as_claimed)


def _gap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Difference in standard errors; 0 where an error is unknown."""
    error = math.hypot(one[1], other[1])
    return (one[0] - other[0]) / error if error > 0.0 else 0.0


def papers_scores(task: str) -> Scores:
    """The paper's table. It gives its source agents without an error."""
    known = RESULTS[task]
    scores: dict[ScoreKey, tuple[float, float]] = {}
    for variant, rows in known.scores.items():
        scores |= {ScoreKey(variant, name): score for name, score in rows.items()}
        scores[ScoreKey(variant, TARGET)] = (known.better, 0.0)
    return scores


def our_scores(joined: JoinedRuns) -> Scores:
    """The table of joined runs, over the losses and columns that the paper has."""
    scores: dict[ScoreKey, tuple[float, float]] = {}
    for variant in joined.variants:
        for row in row_means(joined.column(variant)).dropna(subset=["mean"]).itertuples():
            scores[ScoreKey(variant, row.algorithm)] = (row.mean, row.standard_error)
        better = joined.sources_of(variant).better
        scores[ScoreKey(variant, TARGET)] = (better.mean, better.standard_error)
    return scores


def _above(
    higher: Iterable[str], lower: Iterable[str], variants: Iterable[str], task: str = "tla"
) -> dict[str, tuple[tuple[ScoreKey, ScoreKey], ...]]:
    """Every one of the first above every one of the second, where the paper has both."""
    known = papers_scores(task)
    low = tuple(lower)
    every = {
        variant: [
            (ScoreKey(variant, one), ScoreKey(variant, other)) for one in higher for other in low
        ]
        for variant in variants
    }
    return {
        variant: tuple(pair for pair in pairs if pair[0] != pair[1] and set(pair) <= known.keys())
        for variant, pairs in every.items()
    }


def _lower_than_clean(losses: Iterable[str]) -> dict[str, tuple[tuple[ScoreKey, ScoreKey], ...]]:
    known = papers_scores("tla")
    return {
        variant: tuple(
            (ScoreKey("base", name), ScoreKey(variant, name))
            for name in losses
            if ScoreKey(variant, name) in known
        )
        for variant in _FAULTS
    }


_ROBUST = ("sft", "cpo", "orpo")

CLAIMS = (
    Claim("4.2", "no known loss recovers the target agent", "tla", _above([TARGET], BY_HAND, _ALL)),
    Claim("4.2", "most lose on faulty data", "tla", _lower_than_clean(BY_HAND), most=True),
    Claim(
        "4.2",
        "SimPO is at the top on clean data and on mixed quality",
        "tla",
        _above(["simpo"], BY_HAND, ("base", "mixed-quality")),
    ),
    Claim(
        "4.2",
        "SimPO is poor under noise: below SFT, CPO, ORPO, DPO and IPO",
        "tla",
        _above((*_ROBUST, "dpo", "ipo"), ["simpo"], _NOISES),
    ),
    Claim(
        "4.2",
        "DPO and IPO are above losses with an SFT term on clean data, mixed quality, little noise",
        "tla",
        _above(("dpo", "ipo"), (*_ROBUST, "slic", "rrhf"), ("base", "mixed-quality", "noisy:0.1")),
    ),
    Claim(
        "4.2",
        "SFT, CPO and ORPO withstand noise better than losses without an SFT term",
        "tla",
        _above(_ROBUST, WITHOUT_SFT_TERM, ("noisy:0.3",)),
    ),
    Claim("4.2", "SLiC is above RRHF everywhere", "tla", _above(["slic"], ["rrhf"], _ALL)),
    Claim("4.2", "LPO is above most", "tla", _above(["lpo"], BY_HAND, _ALL), most=True),
    Claim(
        "4.3",
        "the quadratic TA-MPO matches or surpasses every known loss",
        "tla",
        _above([_QUADRATIC], BY_HAND, ("base", "mixed-quality", "noisy:0.1", "noisy:0.3")),
        or_equal=True,
    ),
    Claim(
        "I.3",
        "on clean data DPO is below all others (Hopper)",
        "hopper",
        _above(("ipo", "cpo", "orpo", "simpo"), ["dpo"], ("base",), "hopper"),
    ),
)
"""The claims about known losses. Those about discovered ones are no pairs of one table."""
