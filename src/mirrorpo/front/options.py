"""Options of the functions with many settings, as types.

Their meaning and their defaults are those of the settings' dataclasses, to which a test compares
them.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, TypeVar

from mirrorpo import near_names, protocols, task_names, typed
from mirrorpo.front.run_folder import as_path
from mirrorpo.objectives import naming
from mirrorpo.objectives.base import Objective
from mirrorpo.preferences.own.settings import MinusOne, One, RowCount, Ties
from mirrorpo.runtime import cache as caches
from mirrorpo.user_text import UserText

Settings = TypeVar("Settings")
Names = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""One name or several; commas separate names, too."""
Losses = str | os.PathLike[str] | Objective | Sequence[str | os.PathLike[str] | Objective]
"""One objective or several, each by its name or as an object."""


class TrainingOptions(TypedDict, total=False):
    """See `mirrorpo.protocols.Training`."""

    protocol: str
    epochs: int | None
    minibatch: int | None
    learning_rate: float | None
    schedule: str | None
    reset_optimiser: bool
    single_stage: Names | None
    time_steps: int | None
    std: str | None
    hidden: Sequence[int] | None


class BenchOptions(TrainingOptions, total=False):
    """See `mirrorpo.study.settings.BenchSettings`."""

    task: str
    data: str | os.PathLike[str] | None
    variants: Names
    algorithms: Losses
    seeds: int | None
    search: bool
    search_seeds: int
    search_draws: int | None
    tune_by: str | None
    trials: int | None
    finalists: int | None
    data_seed: int
    data_draws: int | None
    tune_on: str | None
    rows: int | None
    episodes: int | None
    search_episodes: int
    curve_episodes: int | None
    actions: str | None
    allow_short: bool
    backend: str | None
    better: str | os.PathLike[str] | None
    worse: str | os.PathLike[str] | None
    start_from: str | os.PathLike[str] | None
    model: str | os.PathLike[str] | None
    prompts: str | os.PathLike[str] | None
    reward: str | os.PathLike[str] | None
    steps: int | None
    lora_r: int | None
    aggregation: str | None
    bf16: bool | None
    test_prompts: int | None
    max_new_tokens: int | None
    best_of: int | None
    target_steps: int | None
    target_learning_rate: float | None
    sample_batch: int | None


class DiscoverOptions(TrainingOptions, total=False):
    """See `mirrorpo.discovery.settings.DiscoverySettings`."""

    task: str
    variants: Names
    robust: str
    against: Losses
    family: str
    learn: Names | None
    start: str | None
    beta: float | None
    weight: float | None
    gamma: float | None
    delta: float | None
    sees: str
    timed: bool
    parameters: str
    strategy: str
    generations: int
    population: int
    sigma: float
    sigma_decay: float
    step_size: float
    shared_seed: bool
    rows: int | None
    episodes: int
    screen_epochs: int | None
    screen_keep: float
    validate_every: int
    validation_seeds: int
    validation_rows: int | None
    validation_time_steps: int | None
    validation_minibatch: int
    validation_learning_rate: float | None
    validation_episodes: int
    actions: str | None
    backend: str | None
    better: str | os.PathLike[str] | None
    worse: str | os.PathLike[str] | None
    start_from: str | os.PathLike[str] | None
    seed: int
    data_seed: int


class ImportOptions(TypedDict, total=False):
    """See `mirrorpo.preferences.own.settings.ImportSettings`."""

    columns: Names
    sources: str | None
    better: str | None
    worse: str | None
    better_share: float
    worse_share: float
    start: str | None
    rows: int | None
    seed: int
    task: str | None
    backend: str | None
    episode_length: int | None
    name: str | None
    labels: str | os.PathLike[str] | None
    segment: int | None
    ties: Ties
    one: One
    minus_one: MinusOne
    index_into: RowCount


class PPOOptions(TypedDict, total=False):
    """See `mirrorpo.training_settings.PPOSettings`."""

    total_steps: int
    environments: int
    rollout_steps: int
    epochs: int
    minibatches: int
    learning_rate: float
    final_learning_rate: float
    discount: float
    gae_lambda: float
    clip: float
    entropy_weight: float
    max_gradient_norm: float
    hidden: Sequence[int]
    value_hidden: Sequence[int]
    initial_std: float
    std: str
    mean_limit: float | None
    reward_scale: float


def build(
    kind: type[Settings],
    settings: Settings | None,
    options: Mapping[str, object],
    function: Callable[..., object],
) -> Settings:
    """Settings from a call: ready-made, or from options.

    Args:
        kind: the class of the settings.
        settings: those that are ready-made.
        options: fields of the class.
        function: that was called; an option may be a misspelled argument of its own.

    Raises:
        ValueError: both are given, or an option has another type or is out of range.
        TypeError: an option that there is not; the message names the near ones.
    """
    hints = typing.get_type_hints(kind)
    own = inspect.signature(function).parameters.values()
    known = (*hints, *(one.name for one in own if one.kind is not one.VAR_KEYWORD))
    for name in options:
        if name not in hints:
            hint = near_names.hint(name, known, cutoff=0.6)
            raise TypeError(f"mirrorpo.{function.__name__} has no option {name!r}.{hint}")
    if settings is not None:
        if options:
            raise ValueError(
                f"Give {kind.__name__} or single options ({', '.join(options)}), not both."
            )
        if not isinstance(settings, kind):
            raise ValueError(
                f"The settings are a {type(settings).__name__}, not {kind.__name__}: give single "
                "options by name, as in rows=512."
            )
        return settings
    return kind(
        **{
            name: typed.check(_plain(value, hints[name]), hints[name], name)
            for name, value in options.items()
        }
    )


def check_task(task: str, ray: str | None) -> None:
    """Raise ValueError for a task in a file of the user's on a cluster, whose workers lack it."""
    if ray is not None and task_names.names_function(task):
        raise ValueError(f"The task {task} is code in a file and runs here only: leave --ray out.")


def changed(settings: Settings, **values: object) -> Settings:
    """Settings with other values; `time_steps` that were settled to all steps stay all steps."""
    of_texts = getattr(settings, "is_of_texts", False)
    if getattr(settings, "time_steps", 0) is None and not of_texts:
        values = {"time_steps": protocols.ALL_STEPS, **values}
    return typing.cast(Settings, dataclasses.replace(typing.cast(typing.Any, settings), **values))


def paths(given: PathOrPaths) -> list[Path]:
    """One path or several as a list."""
    return [Path(given)] if isinstance(given, (str, os.PathLike)) else [Path(one) for one in given]


PathOrPaths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def text_of(path: str | os.PathLike[str] | None) -> str | None:
    """A path as text; what is none stays as it is, for the check of its type."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def path_of(path: str | os.PathLike[str] | None, name: str) -> Path | None:
    """A path that a caller gives for the argument `name`, or none.

    Raises:
        ValueError: something else.
    """
    return None if path is None else as_path(path, name)


def cache_folder(cache: str | os.PathLike[str] | None) -> Path | None:
    """The folder of the argument `cache`, which can be written; None for the user's cache.

    Raises:
        ValueError: no path, or it cannot be written.
    """
    found = path_of(cache, "cache")
    caches.check(found)
    return found


def objective_text(given: str | os.PathLike[str] | Objective) -> UserText:
    """The text of an objective that a caller gives by its name, its file or as an object.

    Raises:
        ValueError: an object that no text names, or something else.
    """
    found = _text(given)
    if not isinstance(found, str):
        raise ValueError(
            f"objective is a {type(given).__name__}: pass an Objective, a name such as "
            "'dpo[beta=3]', or the file that mirrorpo.objectives.save wrote."
        )
    return UserText(found)


def check_objectives(texts: Iterable[str]) -> None:
    """See that names and files of objectives are there: quickly, before JAX or PyTorch starts.

    Code of the user's is not run yet.

    Raises:
        ValueError: as `mirrorpo.objectives.naming.resolve`.
    """
    for text in texts:
        if not task_names.names_function(naming.parse(text).name):
            naming.resolve(text)


def _text(value: object) -> object:
    """A path or an objective as text."""
    if isinstance(value, Objective):
        return naming.as_text(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _plain(value: object, hint: object) -> object:
    """A value as the command line would give it: a path as text, one name as a list of one."""
    value = _text(value)
    if isinstance(value, str) and Path in typing.get_args(hint):
        return Path(value)
    if "tuple" not in str(hint):
        return value
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(map(_text, value))
    return value
