"""What a kind of bench measures: the names of its numbers, and how they are written."""

from dataclasses import dataclass

from mirrorpo.study.measures import RETURN, REWARD
from mirrorpo.text_tasks import TEXT_TASKS

EPISODE_LENGTH = 1000
"""The most steps of a robot's episode on the bench."""


@dataclass(frozen=True)
class Quantities:
    """How the numbers of a bench are shown.

    Attributes:
        score: what an agent's score is.
        decimals: the decimals of scores.
        argument: what training curves go along.
        curves: the curves of its log, by their names there: (name, title).
    """

    score: str
    decimals: int
    argument: str
    curves: tuple[tuple[str, str], ...]


_ROBOTS = Quantities(
    RETURN,
    0,
    "epoch",
    (
        ("return_mean", "true return"),
        ("chosen_log_prob", "log-prob of the chosen"),
        ("rejected_log_prob", "log-prob of the rejected"),
        ("margin", "margin of the log-probs"),
        ("loss", "loss"),
    ),
)
_REVIEWS = Quantities(
    REWARD,
    1,
    "optimiser step",
    (
        ("logps/chosen", "log-prob of the chosen, sum over tokens"),
        ("logps/rejected", "log-prob of the rejected, sum over tokens"),
        ("margin", "margin of the log-probs"),
        ("accuracy", "share of pairs with a positive margin"),
        ("loss", "loss"),
    ),
)


def of_task(task: str) -> Quantities:
    """The quantities of a bench on this task."""
    return _REVIEWS if task in TEXT_TASKS else _ROBOTS
