"""The task of a file's data, and how agents that are trained on them are scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mirrorpo import task_names, typed
from mirrorpo.preferences.views import Source
from mirrorpo.simulation import tasks


class Scene(NamedTuple):
    """Names of a task and of what simulates it, on the card of an agent."""

    name: str
    backend: str


@dataclass(frozen=True)
class _Penalty:
    coefficient: float


@dataclass(frozen=True)
class _Made:
    """What the card of a dataset says of the task that its trajectories are of."""

    task: str
    backend: str
    episode_length: int
    penalty: Mapping[str, Any] | None = None
    code: str | None = None


def task_on(card: Mapping[str, Any], path: Path | str, named: str | None = None) -> tasks.AnyTask:
    """The task that a dataset's card names.

    Args:
        card: the card of the dataset.
        path: the path of the dataset, for messages.
        named: the same task, as the user named it; needed where it is code in a file, which a card
            may not make run.

    Raises:
        ValueError: the card names no task, none that there is, or another than the user; or the
            file that makes the task has another content than it had when the data were made.
    """
    try:
        made = typed.build(_Made, card, unknown=True)
        penalty = typed.build(_Penalty, made.penalty, unknown=True) if made.penalty else None
    except ValueError as error:
        raise ValueError(f"{path} is not a preference dataset: {error}.") from None
    coefficient = penalty.coefficient if penalty else None
    if named is not None and named != made.task:
        raise ValueError(f"{path} is of the task {made.task}, not of {named}.")
    task = tasks.load(named or made.task, made.backend, made.episode_length, coefficient)
    if made.code is not None and made.code != task.code:
        raise ValueError(
            f"{path} is of the task {made.task}, whose file has changed since: returns would be of "
            "another task. Make the data again, or give the file its former content."
        )
    return task


def task_of(source: Source, named: str | None = None) -> tuple[tasks.AnyTask | None, str]:
    """The task that agents trained on some data can act on, or None, and why.

    It is the one that the card names, if observations and actions have its sizes.

    Raises:
        ValueError: as `task_on`.
    """
    card = source.card
    name = str(card.get("task"))
    own = task_names.origin(name) is task_names.Origin.OWN
    if card.get("backend") is None or (own and name not in tasks.available()):
        if named is not None:
            raise ValueError(
                f"The data's card names no task of MirrorPO's ({name:.40}), so agents cannot be "
                f"scored on {named}: leave the task out, and labels that are held out score them."
            )
        return None, f"the data's card names no task of MirrorPO's ({name:.40})"
    task = task_on(card, "the data", named)
    sizes = tuple(
        int(array.shape[-1])
        for array in (source.trajectories.observations, source.trajectories.actions)
    )
    wanted = (task.observation_size, task.action_size)
    if sizes != wanted:
        return None, (
            f"the data have {sizes[0]} observations and {sizes[1]} actions, but task {task.name} "
            f"has {wanted[0]} and {wanted[1]}"
        )
    if card.get("choices") != task.choices:
        return None, f"the data and the task {task.name} have different kinds of actions"
    return task, f"the data's card names the task {task.name}"


def scene_on(card: Mapping[str, Any], path: Path) -> Scene:
    """The task that a card names; the file's name where it names none."""
    return Scene(str(card.get("task") or path.stem), str(card.get("backend") or "none"))
