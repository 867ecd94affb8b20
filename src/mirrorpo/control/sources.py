"""Which source agents a task's preference data come from, and where its learners start."""

from dataclasses import dataclass


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


SOURCES: dict[str, Sources] = {
    "hopper": Sources("hopper-expert", "hopper-bad", start=None, rows=5120),
    "tla": Sources("tla-target", "ant-original", start="ant-original", rows=1280),
}


def of(task: str) -> Sources:
    """The sources of a task.

    Raises:
        ValueError: the task has none; its preference data need agents named by the user.
    """
    if task not in SOURCES:
        raise ValueError(
            f"Task {task!r} has no shipped source agents; name a better and a worse agent. "
            f"Tasks with source agents: {', '.join(SOURCES)}."
        )
    return SOURCES[task]
