"""The zoo and the shipped discoveries as a list: one entry per objective, grouped by kind."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from mirrorpo.objectives import MirrorObjective, Objective, naming
from mirrorpo.objectives.base import Paper

KINDS = (
    "mirror family, without a reference policy",
    "mirror family, against a reference policy",
    "other losses without a reference policy",
    "other losses against a reference policy",
    "discovered",
)
"""In the order that they are shown."""

NO_PAPER = "no paper"


@dataclass(frozen=True)
class ListedObjective:
    """One objective.

    Attributes:
        name: as `mirrorpo.objective` takes it.
        kind: one of `KINDS`.
        values: its hyper-parameters and their defaults; none of a discovery.
        stages: (name of the objective, epochs) in the order of training.
        needs_reference: whether it compares the policy with a reference policy.
        aggregation: "sum" or "mean" of a sequence's log-probs.
        search_grid: the values that a search tries, by hyper-parameter.
        source: the paper in short, or the data that a discovery was found on.
        paper: in full; None of a discovery.
    """

    name: str
    kind: str
    values: Mapping[str, float]
    stages: tuple[tuple[str, int], ...]
    needs_reference: bool
    aggregation: str
    search_grid: Mapping[str, tuple[float, ...]]
    source: str
    paper: Mapping[str, Any] | None

    @property
    def epochs(self) -> str:
        """The epochs of its stages, as "12" or "10+2"."""
        return "+".join(str(epochs) for _, epochs in self.stages)


def entries() -> list[ListedObjective]:
    """All objectives by kind, and by name within a kind."""
    found = [_named(name) for name in objectives.available()]
    found += [_discovered(name) for name in artefact.shipped()]
    return sorted(found, key=lambda entry: (KINDS.index(entry.kind), entry.name))


def paper_of(objective: Objective) -> Paper | None:
    """None where a user's own class names none."""
    paper = getattr(objective, "paper", None)
    return paper if isinstance(paper, Paper) else None


def entry(name: str, objective: Objective) -> ListedObjective:
    """One that is not a discovery, as its user named it."""
    member = isinstance(objective, MirrorObjective)
    paper = paper_of(objective)
    return ListedObjective(
        name,
        KINDS[2 * (not member) + objective.needs_reference],
        {
            field.name: value
            for field in fields(objective)
            if isinstance(value := getattr(objective, field.name), (int, float))
        },
        objective.stages,
        objective.needs_reference,
        objective.aggregation,
        dict(objective.search_grid),
        NO_PAPER if paper is None else paper.short,
        None if paper is None else asdict(paper),
    )


def _named(name: str) -> ListedObjective:
    return entry(name, naming.resolve(name))


def _discovered(name: str) -> ListedObjective:
    found = artefact.load(name)
    objective = found.objective
    return ListedObjective(
        name,
        KINDS[-1],
        {},
        objective.stages,
        objective.needs_reference,
        objective.aggregation,
        {},
        origin(found),
        None,
    )


def origin(found: artefact.Discovery) -> str:
    """The task and the data that a discovery was found on."""
    settings = found.provenance["settings"]
    return f"{settings['task']}: {', '.join(settings['variants'])}"
