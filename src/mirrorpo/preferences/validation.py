"""What must hold of trajectories and pairs from a file, seen to once: when the file is loaded.

A number that is not finite or a length past the end would else come back hours later, as a loss
that "diverged" or as labels that are never wrong.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.variants import BETTER, COPIES, WORSE

_AT_ONCE = 64  # trajectories: the mask of a whole pool's numbers would take a quarter of its memory


def check_trajectories(arrays: Mapping[str, np.ndarray], path: Path | str) -> None:
    """See that arrays are trajectories: kinds, shapes, lengths, and numbers that are finite.

    Args:
        arrays: with the names of `data.Trajectories`.
        path: for the messages.

    Raises:
        ValueError: they are not. The message names the array, the trajectory and the step.
    """
    count = len(arrays["length"]) if arrays["length"].ndim else 0
    for name, dimensions in _DIMENSIONS.items():
        array = arrays[name]
        if array.ndim != dimensions:
            raise ValueError(
                f"{path} is damaged: {name} has shape {array.shape}, but needs {dimensions} "
                f"dimension{'s' if dimensions > 1 else ''}."
            )
        if len(array) != count:
            raise ValueError(
                f"{path} is damaged: its arrays have different numbers of trajectories "
                f"({len(array)} in {name}, {count} in length)."
            )
        wanted = np.floating if name in _FLOATS else np.integer
        if not np.issubdtype(array.dtype, wanted):
            raise ValueError(
                f"{path} is damaged: {name} holds {array.dtype}, but needs "
                f"{'floating-point numbers' if name in _FLOATS else 'integers'}."
            )
    if not count:
        raise ValueError(f"{path} holds no trajectory.")
    steps = arrays["observations"].shape[1]
    if arrays["actions"].shape[1] != steps:
        raise ValueError(
            f"{path} is damaged: observations of {steps} steps, actions of "
            f"{arrays['actions'].shape[1]}."
        )
    for name in ("observations", "actions"):
        if not arrays[name].shape[2]:
            raise ValueError(f"{path} is damaged: {name} have no numbers.")
    _refuse(
        (arrays["length"] < 1) | (arrays["length"] > steps),
        lambda at: (
            f"{path}: trajectory {at} has length {arrays['length'][at]}, but must have from "
            f"1 to {steps} steps."
        ),
    )
    _refuse(
        ~np.isfinite(arrays["returns"]),
        lambda at: (
            f"{path}: the return of trajectory {at} is {arrays['returns'][at]}, but must be finite."
        ),
    )
    _refuse(
        (arrays["agent"] != BETTER) & (arrays["agent"] != WORSE),
        lambda at: (
            f"{path}: trajectory {at} is of agent {arrays['agent'][at]}, but must be of "
            f"{BETTER} (the better) or {WORSE} (the worse)."
        ),
    )
    for name in ("observations", "actions"):
        _check_finite(arrays[name], arrays["length"], f"{path}: {name}")


def check_pairs(chosen: np.ndarray, rejected: np.ndarray, count: int, path: Path | str) -> None:
    """See that two arrays are pairs of some of `count` trajectories.

    Raises:
        ValueError: they are not.
    """
    for name, array in (("chosen", chosen), ("rejected", rejected)):
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(
                f"{path} is damaged: {name!r} is {array.dtype} of shape {array.shape}, but must be "
                "one row of integers."
            )
        _refuse(
            (array < 0) | (array >= count),
            lambda at, name=name, array=array: (
                f"{path} is damaged: {name!r} of pair {at} is "
                f"{array[at]}, which points outside its {count} trajectories."
            ),
        )
    if len(chosen) != len(rejected):
        raise ValueError(
            f"{path} is damaged: {len(chosen)} chosen and {len(rejected)} rejected trajectories."
        )
    if not len(chosen):
        raise ValueError(f"{path} holds no pair.")


def check_choices(actions: np.ndarray, choices: int | None) -> None:
    """Raise ValueError where discrete actions, shape (..., 1), are not numbers of choices."""
    if choices is None:
        return
    if actions.shape[-1] != 1:
        raise ValueError(f"A discrete action is one number, but these are {actions.shape[-1]}.")
    wrong = (actions != np.round(actions)) | (actions < 0) | (actions >= choices)
    if wrong.any():
        raise ValueError(
            f"Discrete actions must be whole numbers from 0 to {choices - 1}, but one is "
            f"{actions[wrong][0]}."
        )


def check_members(members: np.ndarray | None, agent: np.ndarray, path: Path | str) -> None:
    """See that an array says which trajectories of each agent stand in a pool's rows.

    None, where they stand there in order, is fine.

    Raises:
        ValueError: it does not.
    """
    if members is None:
        if len(agent) % (2 * COPIES):
            raise ValueError(
                f"{path} is damaged: {len(agent)} trajectories are no rows of {2 * COPIES}."
            )
        return
    if members.ndim != 3 or members.shape[1:] != (2, COPIES) or members.dtype.kind not in "iu":
        raise ValueError(
            f"{path} is damaged: members are {members.dtype} of shape {members.shape}, but must be "
            f"integers of shape (rows, 2, {COPIES})."
        )
    if not len(members):
        raise ValueError(f"{path} has no row.")
    outside = ((members < 0) | (members >= len(agent))).any(axis=(1, 2))
    _refuse(
        np.asarray(outside),
        lambda at: (
            f"{path} is damaged: row {at} has the members {members[at].ravel().tolist()}, but "
            f"there are {len(agent)} trajectories."
        ),
    )
    foreign = np.any(agent[members] != np.array([BETTER, WORSE])[:, None], axis=(1, 2))
    _refuse(
        np.asarray(foreign | np.any(members[..., 0] == members[..., 1], axis=1)),
        lambda at: (
            f"{path} is damaged: row {at} must have two trajectories of the better agent and two "
            f"of the worse, but has {members[at].ravel().tolist()}."
        ),
    )


def check_task_card(card: Mapping[str, Any], path: Path | str) -> None:
    """See that what a card says of the task is of the right kind, where it says it.

    Raises:
        ValueError: it is not.
    """
    for name, (kinds, wanted) in _CARD.items():
        value = card.get(name)
        if name in card and value is None and name == "format_version":
            raise ValueError(f"The card of {path} has format_version null, but needs {wanted}.")
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise ValueError(f"The card of {path} has {name} {value!r:.40}, but needs {wanted}.")
    penalty = card.get("penalty")
    if penalty is not None and not isinstance(penalty.get("coefficient"), (int, float)):
        raise ValueError(f"The card of {path} has a penalty without its coefficient.")


def check_names_task(card: Mapping[str, Any], path: Path | str) -> None:
    """See that a card says which task its data are of, as training with a score needs.

    Raises:
        ValueError: it does not. The message says what is missing.
    """
    missing = [name for name in NEEDED_TO_TRAIN if card.get(name) is None]
    if missing:
        raise ValueError(
            f"The card of {path} has no {', '.join(missing)}: agents are trained and scored on the "
            f"task that the data are of. Save the data with a card of "
            f"{', '.join(NEEDED_TO_TRAIN)}, as `mirrorpo data generate` does."
        )


NEEDED_TO_TRAIN = ("task", "backend", "episode_length")
_DIMENSIONS = {"length": 1, "observations": 3, "actions": 3, "returns": 1, "agent": 1, "start": 1}
_FLOATS = ("observations", "actions", "returns")
_CARD: dict[str, tuple[tuple[type, ...], str]] = {
    "format_version": ((int,), "a whole number"),
    "task": ((str,), "a text"),
    "backend": ((str,), "a text"),
    "variant": ((str,), "a text"),
    "episode_length": ((int,), "a whole number"),
    "choices": ((int,), "a whole number"),
    "code": ((str,), "a text"),
    "action_unit": ((int, float), "a number"),
    "penalty": ((Mapping,), "an object"),
    "better": ((Mapping,), "an object"),
    "worse": ((Mapping,), "an object"),
}


def _refuse(bad: np.ndarray, say: Any) -> None:
    if bad.any():
        count = int(bad.sum())
        more = f" So are {count - 1} more." if count > 1 else ""
        raise ValueError(f"{say(int(np.argmax(bad)))}{more}")


def _check_finite(values: np.ndarray, length: np.ndarray, what: str) -> None:
    """Raise ValueError for the first number that is not finite before its trajectory's end."""
    steps = np.arange(values.shape[1])
    for first in range(0, len(values), _AT_ONCE):
        block = values[first : first + _AT_ONCE]
        if np.isfinite(block).all():
            continue
        bad = ~np.isfinite(block) & (steps < length[first : first + _AT_ONCE, None])[..., None]
        if bad.any():
            trajectory, step, place = np.argwhere(bad)[0]
            raise ValueError(
                f"{what}[{place}] of trajectory {first + trajectory} at step {step} is "
                f"{block[trajectory, step, place]}, but must be finite."
            )
