"""Recorded steps, cut into episodes: the form into which every kind of file is read."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorpo.preferences.own import archives, hdf5, minari, tables
from mirrorpo.preferences.own.columns import Columns

KINDS = {
    ".npz": archives.opened,
    ".hdf5": hdf5.opened,
    ".h5": hdf5.opened,
    ".parquet": tables.opened,
}
_AT_ONCE = 65536


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of all episodes of a file, one after the other.

    Attributes:
        where: the file's name in messages.
        observations: shape (steps, observations), float32.
        actions: shape (steps, actions), float32.
        rewards: shape (steps,), float64; None where the file has none.
        first: row of each episode's first step, shape (episodes,), int64.
        length: steps of each episode, shape (episodes,), int64.
        finished: whether the file says that an episode ends where it does, shape (episodes,), bool;
            false for steps at the end of a file that are followed by nothing.
        timeouts: whether a step is an episode's last because time was up, shape (steps,), bool;
            None where the file does not say.
        values: other columns that were asked for, one value per episode, that of its first step.
        environment: the environment's name in the file; None where the file names none.
    """

    where: str
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray | None
    first: np.ndarray
    length: np.ndarray
    finished: np.ndarray
    timeouts: np.ndarray | None
    values: Mapping[str, np.ndarray]
    environment: str | None = None

    def __len__(self) -> int:
        return len(self.observations)

    def place(self, row: int) -> str:
        """A row in words."""
        episode = int(np.searchsorted(self.first, row, side="right")) - 1
        return f"row {row} (episode {episode}, step {row - self.first[episode]})"


def opened(path: Path) -> AbstractContextManager[Columns]:
    """The columns of a file or folder.

    Raises:
        ValueError: there is none, of another kind, or damaged.
        ModuleNotFoundError: it needs a package that is not installed.
    """
    if path.is_dir():
        return minari.opened(path)
    if not path.is_file():
        raise ValueError(f"Cannot read trajectories at {path}: there is no such file.")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"{path} has {path.suffix or 'no ending'}, which is not read: name a file of "
            f"{', '.join(KINDS)}, or a Minari dataset's folder."
        )
    return kind(path)


def read(path: Path, renamed: Mapping[str, str] | None = None, others: Sequence[str] = ()) -> Steps:
    """Read and check a file's steps.

    Episodes end where `terminals` or `timeouts` are true, or, where there is a column `episode`,
    where its value changes.

    Args:
        path: the path of the file, or a Minari dataset's folder.
        renamed: the file's names of columns, by ours; see `columns.ALIASES`.
        others: more columns of one value per step, which is the same within an episode.

    Raises:
        ValueError: as of `opened`; a column is missing, has another shape or kind, holds a number
            that is not finite, or no episode ends. The message names file, column and row.
    """
    with opened(path) as columns:
        return from_columns(columns, renamed or {}, others)


def from_columns(columns: Columns, renamed: Mapping[str, str], others: Sequence[str]) -> Steps:
    """The steps of an open file; see `read`."""
    names = {one: columns.name_of(one, renamed) for one in _OF_A_STEP}
    arrays = {one: columns.read(name) for one, name in names.items() if name is not None}
    for one in ("observations", "actions"):
        if one not in arrays:
            raise ValueError(
                f"{columns.where} has no {one}: it has {columns.listed}. Name the column by "
                f"--columns {one}=NAME."
            )
    called = {one: f"{columns.where}: {name}" for one, name in names.items()}
    observations = _matrix(arrays["observations"], called["observations"])
    actions = _matrix(arrays["actions"], called["actions"])
    count = len(observations)
    if not count:
        raise ValueError(f"{called['observations']} has no step.")
    if np.issubdtype(arrays["actions"].dtype, np.integer):
        raise ValueError(
            f"{called['actions']} holds whole numbers: only continuous actions are trained on."
        )
    for one, array in arrays.items():
        if len(array) != count:
            raise ValueError(f"{called[one]} has {len(array)} rows, but observations has {count}.")
    rewards = _line(arrays["rewards"], called["rewards"]) if "rewards" in arrays else None
    ends = {one: _flags(arrays[one], called[one]) for one in _ENDS if one in arrays}
    first, length, finished = _episodes(columns.where, count, ends, arrays.get("episode"), called)
    values = {
        name: columns.read(columns.existing(name, f"column {name}"))
        for name in dict.fromkeys(others)
    }
    for name, array in values.items():
        if array.ndim != 1 or len(array) != count:
            raise ValueError(
                f"{columns.where}: {name} has shape {array.shape}, but needs one value per step "
                f"({count})."
            )
        _constant(array, first, f"{columns.where}: {name}")
    steps = Steps(
        columns.where,
        observations,
        actions,
        None if rewards is None else rewards.astype(np.float64),
        first,
        length,
        finished,
        ends.get("timeouts"),
        {name: array[first] for name, array in values.items()},
        columns.environment,
    )
    _check_finite(steps, observations, called["observations"])
    _check_finite(steps, actions, called["actions"])
    if rewards is not None:
        _check_finite(steps, rewards, called["rewards"])
    return steps


_ENDS = ("terminals", "timeouts")
_OF_A_STEP = ("observations", "actions", "rewards", *_ENDS, "episode")


def _matrix(array: np.ndarray, called: str) -> np.ndarray:
    """Numbers of shape (steps, n), float32."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{called} holds {array.dtype}, where numbers are needed.")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(
            f"{called} has shape {array.shape}, but needs one row of numbers per step: "
            "(steps, numbers)."
        )
    with np.errstate(over="ignore"):  # infinity is refused below, with its row
        return np.ascontiguousarray(array, np.float32)


def _line(array: np.ndarray, called: str) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{called} is {array.dtype} of shape {array.shape}, but needs one number per step."
        )
    return array


def _flags(array: np.ndarray, called: str) -> np.ndarray:
    line = _line(array, called)
    strange = (line != 0) & (line != 1)
    if strange.any():
        at = int(np.argmax(strange))
        raise ValueError(f"{called} at row {at} is {line[at]}, but must be 0 or 1.")
    return line.astype(bool)


def _episodes(
    where: str,
    count: int,
    ends: Mapping[str, np.ndarray],
    episode: np.ndarray | None,
    called: Mapping[str, str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First row, length and whether it is finished, of each episode."""
    ended = np.zeros(count, bool)
    for flags in ends.values():
        ended |= flags
    if episode is not None:
        ended = _changes(episode, ended, called)
    elif not ends:
        raise ValueError(
            f"{where} does not say where an episode ends: it needs terminals, timeouts or a column "
            "episode. Name it by --columns terminals=NAME."
        )
    last = np.flatnonzero(ended)
    if not len(last):
        raise ValueError(
            f"{where}: no episode ends: {' and '.join(ends)} {'is' if len(ends) == 1 else 'are'} 0 "
            f"in all {count} rows."
        )
    finished = np.ones(len(last), bool)
    if last[-1] != count - 1:
        last = np.append(last, count - 1)
        finished = np.append(finished, False)
    first = np.concatenate([[0], last[:-1] + 1])
    return first, last - first + 1, finished


def _changes(episode: np.ndarray, ended: np.ndarray, called: Mapping[str, str]) -> np.ndarray:
    """Whether a row is the last one of its episode, by the column `episode`."""
    name = called["episode"]
    if episode.ndim != 1 or episode.dtype.kind not in "biufUS":
        raise ValueError(
            f"{name} is {episode.dtype} of shape {episode.shape}, but needs one value per step."
        )
    if episode.dtype.kind == "f" and not np.isfinite(episode).all():
        at = int(np.argmax(~np.isfinite(episode)))
        raise ValueError(f"{name} at row {at} is {episode[at]}.")
    changed = np.append(episode[1:] != episode[:-1], True)
    begins = np.flatnonzero(np.append(True, changed[:-1]))
    _, which = np.unique(episode[begins], return_index=True)
    if len(which) != len(begins):
        again = int(np.setdiff1d(np.arange(len(begins)), which)[0])
        raise ValueError(
            f"{name} at row {begins[again]} is {episode[begins[again]]} again: the steps of an "
            "episode must follow each other. Sort them by episode."
        )
    torn = ended & ~changed
    if torn.any():
        at = int(np.argmax(torn))
        raise ValueError(
            f"{name} at row {at + 1} is still {episode[at]}, though row {at} is said to end an "
            "episode."
        )
    return changed


def _constant(array: np.ndarray, first: np.ndarray, called: str) -> None:
    """See that a column has one value within an episode."""
    moved = np.append(False, array[1:] != array[:-1])
    moved[first] = False
    if moved.any():
        at = int(np.argmax(moved))
        raise ValueError(
            f"{called} changes from {array[at - 1]} to {array[at]} at row {at}, within an episode."
        )


def _check_finite(steps: Steps, array: np.ndarray, called: str) -> None:
    for begin in range(0, len(array), _AT_ONCE):
        block = array[begin : begin + _AT_ONCE]
        if np.isfinite(block).all():
            continue
        at = np.argwhere(~np.isfinite(block))[0]
        which = "".join(f"[{i}]" for i in at[1:])
        raise ValueError(
            f"{called}{which} at {steps.place(begin + int(at[0]))} is {block[tuple(at)]}, but must "
            "be finite."
        )
