"""What the published searches cost in agent-steps, beside the paper's searches.

    python benchmarks/search_cost.py [more runs, published or in a folder]

An agent-step is one gradient step of one trained agent. Agents of the validations are counted, and
an agent on each variant of a search that has several. The paper's searches are of its Table 8, with
no validation, since it tells of none.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from mirrorpo import files
from mirrorpo.agents.sources import SOURCES
from mirrorpo.cli.console import fail
from mirrorpo.discovery.search_log import RESULT
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.reporting.published import store, unpacking
from mirrorpo.training_settings import TrainSettings

RESULTS = Path(__file__).parents[1] / "results"
TRAJECTORY = 1000
"""Steps of a whole trajectory, in data and in episodes."""
PAPER = {
    "the paper's on Hopper": DiscoverySettings(task="hopper", protocol="paper", generations=128),
    "the paper's on TLA": DiscoverySettings(task="tla", protocol="paper", generations=256),
}


@dataclass(frozen=True)
class Part:
    """Agents that a search trains alike.

    Attributes:
        agents: their number.
        gradient_steps: gradient steps per agent, averaged over the tasks.
        episodes: that each is scored on.
    """

    agents: int
    gradient_steps: float
    episodes: int


@dataclass(frozen=True)
class Cost:
    """What a search costs.

    Attributes:
        name: the search's name.
        search: its candidates, the start and the centre among them.
        validation: the agents of its validations.
        time_steps: time steps that a gradient step reads per trajectory.
    """

    name: str
    search: Part
    validation: Part
    time_steps: int

    @property
    def agent_steps(self) -> float:
        """Gradient steps of all agents."""
        return sum(part.agents * part.gradient_steps for part in (self.search, self.validation))

    @property
    def environment_steps(self) -> int:
        """Steps of all scored episodes, if none ends early."""
        scored = sum(part.agents * part.episodes for part in (self.search, self.validation))
        return scored * TRAJECTORY


def of_paper(name: str, settings: DiscoverySettings) -> Cost:
    """The cost of a search of the paper's."""
    training = settings.fitness_training
    steps = _gradient_steps(settings.tasks, settings.rows, training.epochs, training.minibatch)
    search = Part(settings.population * settings.generations, steps, settings.episodes)
    return Cost(name, search, Part(0, 0, 0), training.time_steps or TRAJECTORY)


def of_search(name: str, card: dict[str, Any]) -> Cost:
    """The cost of a search that has ended.

    Args:
        name: what to call it.
        card: what its `objective.json` says.
    """
    settings = card["settings"]
    if settings["screen_epochs"] is not None:
        raise ValueError(f"{name} trains some of its agents briefly: its cost is not in its card.")
    tasks = settings["task"].split(",")
    columns = len(tasks) * len(settings["variants"])
    validated = sum(line["seeds"] for line in card["validation"])
    return Cost(
        name,
        Part(
            card["agents_trained"] * columns,
            _gradient_steps(tasks, settings["rows"], settings["epochs"], settings["minibatch"]),
            settings["episodes"],
        ),
        Part(
            validated * columns,
            _gradient_steps(
                tasks,
                settings["validation_rows"],
                TrainSettings.epochs,
                settings["validation_minibatch"],
            ),
            settings["validation_episodes"],
        ),
        settings["time_steps"] or TRAJECTORY,
    )


def _gradient_steps(tasks: Sequence[str], rows: int | None, epochs: int, minibatch: int) -> float:
    """Of one agent; where tasks have other numbers of pairs, their mean."""
    return epochs * sum((rows or SOURCES[task].rows) // minibatch for task in tasks) / len(tasks)


def published() -> list[Path]:
    """The published searches."""
    index = store.read_index(RESULTS)
    return [RESULTS / name for name, entry in index.items() if entry.kind == "discover"]


def table(runs: list[Path]) -> list[str]:
    """The lines of a table: the paper's searches, then those of the runs, dearest first.

    Searches that cost the same share a line.
    """
    found = []
    with unpacking.folders(runs) as folders:
        for run, folder in zip(runs, folders, strict=True):
            card = files.read_json((folder / RESULT).with_suffix(".json"), "a search's card")
            found.append(of_search(_name(run), card))
    found.sort(key=lambda cost: (-cost.agent_steps, cost.name))
    found.sort(key=_alike, reverse=True)
    papers = [of_paper(name, settings) for name, settings in PAPER.items()]
    lines = [
        "| search | agents | of validation | gradient steps each | agent-steps, millions | "
        "of the paper's on Hopper | time steps read | steps of episodes, millions |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups = [[one] for one in papers] + [list(group) for _, group in groupby(found, _alike)]
    return lines + [_line(papers[0], alike) for alike in groups]


def _alike(cost: Cost) -> tuple[float, ...]:
    part = cost.search
    return part.agents * part.gradient_steps, part.agents, part.episodes, cost.time_steps


def _name(run: Path) -> str:
    return run.relative_to(RESULTS).as_posix() if run.is_relative_to(RESULTS) else run.name


def _line(paper: Cost, alike: list[Cost]) -> str:
    """Of searches of one cost; what differs is the first one's."""
    one = alike[0]
    others = f" and {len(alike) - 1} like it" if len(alike) > 1 else ""
    cells = (
        f"{one.name}{others}",
        f"{one.search.agents:,}",
        f"{one.validation.agents or '-'}",
        f"{one.search.gradient_steps:,.0f}",
        _millions(one.agent_steps),
        f"1 / {paper.agent_steps / one.agent_steps:,.0f}",
        f"{one.time_steps}",
        _millions(one.environment_steps),
    )
    return f"| {' | '.join(cells)} |"


def _millions(number: float) -> str:
    return f"{number / 1e6:,.0f}" if number >= 1e8 else f"{number / 1e6:.2g}"


def main(runs: list[Path]) -> None:
    try:
        print("\n".join(table(published() + runs)))
    except (OSError, ValueError) as error:
        fail(str(error))


if __name__ == "__main__":
    main([Path(text) for text in sys.argv[1:]])
