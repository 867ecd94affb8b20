"""Which source agents a task's preference data come from, and where its learners start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorpo.agents import agent_files
from mirrorpo.agents.widening import widened
from mirrorpo.simulation.policy import Policy
from mirrorpo.training_settings import TrainSettings

RANDOM = "random"
"""In place of an agent's name: learners start from random networks."""


@dataclass(frozen=True)
class Sources:
    """The paper's set-up of one task (sections 4.1 and I.3).

    Attributes:
        better: name of the agent with the higher return: expert or target.
        worse: name of the agent with the lower return: bad or original.
        start: name of the agent that every learner starts from; None for random networks with
            an observation normaliser from the dataset.
        rows: pairs in the paper's datasets.
    """

    better: str
    worse: str
    start: str | None
    rows: int

    def checksums(self) -> dict[str, str]:
        """Checksums of the agents' files, by the agents' names.

        Raises:
            ValueError: no such agent.
        """
        names = [name for name in (self.better, self.worse, self.start) if name is not None]
        return {name: agent_files.source_checksum(name) for name in names}


SOURCES: dict[str, Sources] = {
    "hopper": Sources("hopper-expert", "hopper-bad", start=None, rows=5120),
    "walker2d": Sources("walker2d-steady", "walker2d-bad", start=None, rows=5120),
    "tla": Sources("tla-target", "ant-original", start="ant-original", rows=1280),
}


def choose(
    task: str,
    better: str | Path | None = None,
    worse: str | Path | None = None,
    rows: int | None = None,
    start: str | Path | None = None,
) -> Sources:
    """The sources of a task, with the user's choices in place of its own.

    Args:
        task: name of the task.
        better: the better agent's name or file; None for the task's own.
        worse: the worse agent's name or file; None for the task's own.
        rows: number of pairs; None for the paper's number.
        start: see `start_of`.

    Raises:
        ValueError: the task has no sources of its own, and the user named only some.
    """
    own = SOURCES.get(task)
    if own is None:
        if better is None or worse is None or rows is None:
            raise ValueError(
                f"Task {task!r} has no shipped source agents: name a better agent, a worse agent "
                f"and a number of rows. Tasks with source agents: {', '.join(SOURCES)}."
            )
        return Sources(_text(better), _text(worse), start_of(task, start), rows)
    return Sources(
        _text(better or own.better),
        _text(worse or own.worse),
        start_of(task, start),
        rows if rows is not None else own.rows,
    )


def start_of(task: str | None, start: str | Path | None = None) -> str | None:
    """The agent that learners start from; None for random networks.

    Args:
        task: name of the task; None for none of MirrorPO's.
        start: the agent's name or file; "random" for random networks; None for the task's own.
    """
    if start is None:
        own = SOURCES.get(task) if task is not None else None
        return own.start if own is not None else None
    return None if str(start) == RANDOM else _text(start)


def load_start(name: str | None, hidden: Sequence[int] | None = None) -> Policy | None:
    """The policy that learners start from; None for random networks.

    Args:
        name: as `start_of` gives it.
        hidden: units of each hidden layer. An agent keeps its own where they are the usual ones,
            or None, and is widened to others: it acts as before.

    Raises:
        ValueError: no such agent, or one that has other or larger layers.
    """
    if name is None:
        return None
    policy = agent_files.load(name)[0]
    if hidden is None or tuple(hidden) == TrainSettings.hidden:
        return policy
    try:
        return widened(policy, hidden)
    except ValueError as error:
        raise ValueError(
            f"Agents start from {name}. {error} Give it more units with --hidden, leave that out, "
            "or pass --start-from random."
        ) from None


def _text(name: str | Path) -> str:
    """The name as text; that of the user stays marked as theirs."""
    return name if isinstance(name, str) else str(name)
