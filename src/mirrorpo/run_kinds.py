"""The kinds of runs: which command made a run's folder."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

Kind = Literal[
    "bench", "discover", "explain", "train", "agents train", "align", "judge", "report", "other"
]
"""Name of the command; "other" where none of them made the run."""

KINDS: tuple[Kind, ...] = get_args(Kind)

# Version 0.1.0 recorded no kind. Settings that only this command wrote; the first that fits.
_MARKS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("bench", ("algorithms", "variants")),
    ("discover", ("generations", "learn")),
    ("explain", ("objective", "max_terms")),
    ("train", ("objective", "data", "training")),
    ("align", ("objective", "dataset_name", "training")),
    ("judge", ("contestants", "judge")),
)
_COMMANDS: tuple[Kind, ...] = ("agents train", "report")


def of(config: Mapping[str, Any]) -> Kind:
    """The kind of a run.

    Args:
        config: the run's config.json: its `kind` and, for a run that has none, its `settings`.

    Returns:
        "other" for a kind that this version does not know.
    """
    for kind in KINDS:
        if config.get("kind") == kind:
            return kind
    if config.get("kind") is not None:
        return "other"
    return _inferred(config.get("settings"))


def _inferred(settings: object) -> Kind:
    if not isinstance(settings, Mapping):
        return "other"
    for command in _COMMANDS:
        if settings.get("command") == command:
            return command
    for kind, names in _MARKS:
        if all(name in settings for name in names):
            return kind
    return "other"
