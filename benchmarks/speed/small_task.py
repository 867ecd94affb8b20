"""The task of the tests that compiles in seconds, and two source agents of it."""

import sys
from pathlib import Path


def point(folder: Path) -> dict[str, str]:
    """Settings of a search on it.

    Args:
        folder: where the agents are written.
    """
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests import point_task

    better, worse = point_task.write_agents(folder)
    return {"task": point_task.NAME, "better": str(better), "worse": str(worse)}
