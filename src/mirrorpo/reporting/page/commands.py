"""The command line that a run's settings stand for."""

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.study.settings import BenchSettings
from mirrorpo.text_tasks import OLD_REVIEWS

_ALWAYS = ("task", "variants", "algorithms")
_EXPLAIN_OPTIONS = ("max_terms", "low", "high", "seed")


def command_line(kind: str, settings: Mapping[str, Any], out: Path) -> str | None:
    """The `mirrorpo` command with those options that are not at their defaults.

    Args:
        kind: as in `folders.Folder`.
        settings: the settings of the run, as in its config.json.
        out: folder of the run.

    Returns:
        One line; None where the configuration does not hold the whole command.

    Raises:
        ValueError: the settings are not of a run of this kind.
    """
    if kind == "bench":
        if settings.get("task") == OLD_REVIEWS:
            return None  # a command that there is no more
        words = [kind, *_options(BenchSettings, settings)]
    elif kind == "discover":
        words = [kind, *_options(DiscoverySettings, settings)]
    elif kind == "explain":
        if "objective" not in settings:
            raise ValueError("The configuration names no objective that was explained.")
        words = [kind, str(settings["objective"])]
        for name in _EXPLAIN_OPTIONS:
            if settings.get(name) is not None:
                words += [_flag(name), str(settings[name])]
    else:
        return None
    return shlex.join(["mirrorpo", *words, "--out", str(out)])


def _options(settings_class: Any, settings: Mapping[str, Any]) -> Iterator[str]:
    for field in dataclasses.fields(settings_class):
        value, default = settings.get(field.name), files.as_json(field.default)
        if value is None or (value == default and field.name not in _ALWAYS):
            continue
        if isinstance(field.default, bool):
            yield _flag(field.name if value else f"no_{field.name}")
        else:
            yield from (_flag(field.name), _value(value))


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
