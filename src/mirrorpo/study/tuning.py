"""What tuning did in each cell of a bench: budget, optimum, and how near an edge it lies."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import files, plain_text, typed
from mirrorpo.divergence import finite_or_none
from mirrorpo.objectives import ranges
from mirrorpo.study.trials import Search

FILE = "tuned.json"
KEY = "tuning"

COLUMNS = ("trials", "tuning_agents", "tuning_gain", "edge_distance", "at_edge", "sft_limit")
"""What `with_columns` adds to the summary of a bench."""


@dataclass(frozen=True)
class Optimum:
    """One hyper-parameter of the best trial.

    Attributes:
        value: the value of the best trial.
        low: the smallest value of its range, widenings included.
        high: the largest value.
        log: whether distances are by the logarithm.
        edge_distance: share of the range's width to the nearest end, in [0, 0.5].
        edge: the end that it is at, "low" or "high"; "" if it is inside.
        sft_end: the end beyond which the loss is plain SFT, "low" or "high"; "" if neither.
    """

    value: float
    low: float
    high: float
    log: bool
    edge_distance: float
    edge: str
    sft_end: str


@dataclass(frozen=True)
class Tuning:
    """What the search of one cell did.

    Attributes:
        by: "trials" or "grid".
        trials: settings tried, all stages together.
        agents: trained for them.
        widenings: how often an optimum at an edge widened the ranges.
        score: the score of the best trial, on the draw of the search; None where all diverged.
        start_score: the score of the first trial, at the point where the search starts; None for a
            grid, or where that trial diverged.
        optimum: by hyper-parameter.
        sft_limit: where the SFT limit lies, in words, see `ranges.sft_limit`.
    """

    by: str
    trials: int
    agents: int
    widenings: int
    score: float | None
    start_score: float | None
    optimum: Mapping[str, Any]
    sft_limit: str

    @property
    def edge_distance(self) -> float:
        """The edge distance of the hyper-parameter that is nearest to an edge."""
        return min((one.edge_distance for one in self.optimum.values()), default=math.nan)

    @property
    def gain(self) -> float:
        """Score of the best trial minus that of the first."""
        if self.score is None or self.start_score is None:
            return math.nan
        return self.score - self.start_score

    @property
    def at_edge(self) -> str:
        """The hyper-parameters at an edge, in words: "beta high, toward SFT"."""
        return "; ".join(
            f"{name} {one.edge}{', toward SFT' if one.edge == one.sft_end else ''}"
            for name, one in self.optimum.items()
            if one.edge
        )


def summarise(search: Search, by: str) -> Tuning:
    """What a complete search did."""
    best, found = search.best, search.ranges
    return Tuning(
        by=by,
        trials=len(search.trials),
        agents=sum(trial.agents for trial in search.trials),
        widenings=len(search.stages) - 1,
        score=finite_or_none(best.score),
        start_score=finite_or_none(search.trials[0].score) if by == "trials" else None,
        optimum={
            name: Optimum(
                value=best.point[name],
                low=one.low,
                high=one.high,
                log=one.log,
                edge_distance=round(one.distance_from_edge(best.point[name]), 4),
                edge=one.edge(best.point[name]),
                sft_end=one.sft_end,
            )
            for name, one in found.items()
        },
        sft_limit=ranges.sft_limit(found) if by == "trials" else "not stated for a grid",
    )


def to_json(found: Mapping[tuple[str, str], Tuning]) -> dict[str, dict[str, Any]]:
    """Tunings by (algorithm, variant), as `read` reads them: algorithm -> variant -> tuning."""
    content: dict[str, dict[str, Any]] = {}
    for (algorithm, variant), one in found.items():
        content.setdefault(algorithm, {})[variant] = asdict(one)
    return content


def read(out: Path) -> dict[tuple[str, str], Tuning]:
    """The tunings of a bench's folder, by (algorithm, variant).

    There is none of a run without a search, or from before tunings were written down.

    Raises:
        ValueError: the file is damaged.
    """
    path = out / FILE
    content = files.read_object(path, "tuned hyper-parameters").get(KEY, {})
    try:
        rows = typed.check(content, Mapping[str, Mapping[str, Any]], KEY)
        return {
            (algorithm, variant): _parse(row)
            for algorithm, column in rows.items()
            for variant, row in column.items()
        }
    except (typed.WrongTypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from None


def with_columns(summary: pd.DataFrame, found: Mapping[tuple[str, str], Tuning]) -> pd.DataFrame:
    """The summary of a bench with `COLUMNS`; empty for rows that took no trials."""
    cells = [
        found.get((algorithm, variant))
        for algorithm, variant in zip(summary["algorithm"], summary["variant"], strict=True)
    ]
    rows = [
        (0, 0, math.nan, math.nan, "", "")
        if one is None
        else (one.trials, one.agents, one.gain, one.edge_distance, one.at_edge, one.sft_limit)
        for one in cells
    ]
    return summary.join(pd.DataFrame(rows, columns=list(COLUMNS), index=summary.index))


def to_markdown(found: Mapping[tuple[str, str], Tuning]) -> str:
    """How a bench was tuned, to stand below its table; empty where it was not."""
    if not found:
        return ""
    budgets = sorted({(one.trials, one.agents) for one in found.values() if not one.widenings})
    widened = sum(one.widenings > 0 for one in found.values())
    budget = " or ".join(f"{trials} trials ({agents} agents)" for trials, agents in budgets)
    lines = [
        "Tuning: " + (f"{budget} per cell" if budget else "every cell was widened"),
        f"; {widened} of {len(found)} cells widened a range and took more. " if widened else ". ",
        "Distance is the share of a range between its best value and its nearest end; gain is the "
        "best trial's return minus the first one's, on the draw of the search.\n\n",
        "| algorithm | variant | best | range | distance | at an edge | SFT limit | gain | trials "
        "|\n| --- | --- | --- | --- | ---: | --- | --- | ---: | ---: |\n",
    ]
    for (algorithm, variant), one in found.items():
        best = ", ".join(f"{name} {value.value:.4g}" for name, value in one.optimum.items())
        spans = ", ".join(
            f"{name} {value.low:.4g} to {value.high:.4g}" for name, value in one.optimum.items()
        )
        gain = "" if math.isnan(one.gain) else f"{one.gain:.0f}"
        cells = [algorithm, variant, best, spans, f"{one.edge_distance:.2f}", one.at_edge]
        cells += [one.sft_limit, gain, str(one.trials)]
        lines.append(f"| {' | '.join(map(plain_text.in_markdown, cells))} |\n")
    return "".join(lines)


def _parse(row: Any) -> Tuning:
    found = typed.build(Tuning, row)
    optimum = {name: typed.build(Optimum, value) for name, value in found.optimum.items()}
    return Tuning(**{**vars(found), "optimum": optimum})
