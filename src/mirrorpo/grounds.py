"""Grounds: what lies under a run's numbers, by the version of MirrorPO that began it.

Start states, source agents, policy class, schedules and draws of data are one ground. Numbers of
two grounds do not belong in one table.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

GroundVersion = Literal["0.1.0", "0.2.0"]
"""On 0.1.0's, robots may begin inside the floor, means of policies have no bound, one rate falls
over all stages, and a search shares its data with the final score; 0.2.0's has none of these."""

GROUNDS: tuple[GroundVersion, ...] = get_args(GroundVersion)
OLD, NEW = GROUNDS


def of(config: Mapping[str, Any]) -> GroundVersion | None:
    """The ground of a run.

    Args:
        config: the run's config.json: its `versions` and `settings`.

    Returns:
        None where neither says it.
    """
    installed, settings = config.get("versions"), config.get("settings")
    version = installed.get("mirrorpo") if isinstance(installed, Mapping) else None
    if isinstance(version, str) and version[:1].isdigit() and not version.startswith("0.1."):
        return NEW
    if isinstance(settings, Mapping) and settings:
        # The new ground was laid before the version changed; protocols came with it.
        return NEW if "protocol" in settings else OLD
    return None
