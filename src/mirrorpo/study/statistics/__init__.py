"""Statistics of trained agents, on data frames: one row per agent, or one row per table cell."""

from mirrorpo.standard_error import mean_and_error
from mirrorpo.study.statistics.agent_rows import agent_rows
from mirrorpo.study.statistics.best import (
    BestOf,
    best_of,
    can_find_worse,
    differences_to_best,
    holm,
)
from mirrorpo.study.statistics.concordance import Concordance, concordance
from mirrorpo.study.statistics.normalised import normalised_error, normalised_score
from mirrorpo.study.statistics.paired import PairedDifference, paired_difference
from mirrorpo.study.statistics.ranks import RankAgreement, rank_agreement
from mirrorpo.study.statistics.row_means import row_means
from mirrorpo.study.statistics.summary import (
    Summary,
    interquartile_interval,
    interquartile_mean,
    summarise,
)

__all__ = [
    "BestOf",
    "Concordance",
    "PairedDifference",
    "RankAgreement",
    "Summary",
    "agent_rows",
    "best_of",
    "can_find_worse",
    "concordance",
    "differences_to_best",
    "holm",
    "interquartile_interval",
    "interquartile_mean",
    "mean_and_error",
    "normalised_error",
    "normalised_score",
    "paired_difference",
    "rank_agreement",
    "row_means",
    "summarise",
]
