"""Named arrays of a file from outside, as every reader gives them, within a limit of size."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST_BYTES = 8 * 2**30
"""Bytes of all arrays that are read from one file, as they lie in memory."""

_GIBIBYTE = 2**30

ALIASES: dict[str, tuple[str, ...]] = {
    "observations": ("observations", "obs", "observation"),
    "actions": ("actions", "action", "acts"),
    "rewards": ("rewards", "reward"),
    "terminals": ("terminals", "terminations", "terminated", "dones", "done"),
    "timeouts": ("timeouts", "truncations", "truncated"),
    "episode": ("episode", "episode_id", "episode_index"),
    "start": ("start",),
}
"""What MirrorPO calls a column, and the names that it is looked for under, the first one first."""


class ByteBudget:
    """Counts the bytes that are read from one file, before they are."""

    def __init__(self, where: str, limit: int = MOST_BYTES):
        self.where = where
        self.limit = limit
        self.taken = 0

    def take(self, key: str, shape: Sequence[int], itemsize: int) -> None:
        """Count one array.

        Raises:
            ValueError: it is beyond the limit, together with what was read before.
        """
        self.taken += math.prod(int(size) for size in shape) * itemsize
        if self.taken > self.limit:
            raise ValueError(
                f"{self.where}: {key} of shape {tuple(shape)} is more than is read: a file's "
                f"arrays may take {self.limit / _GIBIBYTE:g} GiB together. Cut the file into parts."
            )


@dataclass(frozen=True)
class Columns:
    """The arrays of one open file.

    Attributes:
        where: the file's name in messages.
        names: the names of all arrays.
        read: an array by its name; checked in kind and size before it is read.
        environment: what the file says its environment is; None where it says nothing.
    """

    where: str
    names: Sequence[str]
    read: Callable[[str], np.ndarray]
    environment: str | None = None

    def __post_init__(self) -> None:
        refuse_repeats(self.names, self.where)

    def name_of(self, column: str, renamed: Mapping[str, str]) -> str | None:
        """The file's name of a column; None where it has none.

        Args:
            column: a key of `ALIASES`, or a name of the user's.
            renamed: the user's names for the keys of `ALIASES`.

        Raises:
            ValueError: the user named an array that is not there.
        """
        if column in renamed:
            return self.existing(renamed[column], f"--columns {column}={renamed[column]}")
        return next((name for name in ALIASES.get(column, (column,)) if name in self.names), None)

    def existing(self, name: str, asked: str) -> str:
        """The name, where the file has such an array.

        Raises:
            ValueError: it has none.
        """
        if name not in self.names:
            raise ValueError(f"{asked}: {self.where} has no {name!r}. It has {self.listed}.")
        return name

    @property
    def listed(self) -> str:
        """The names of the file, for messages."""
        shown = ", ".join(repr(name)[:40] for name in self.names[:12])
        more = len(self.names) - 12
        return (shown or "nothing") + (f" and {more} more" if more > 0 else "")


def refuse_repeats(names: Sequence[str], where: str) -> None:
    """See that each column has a name of its own. Of two with one name only one would be read.

    Raises:
        ValueError: two have.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{where} has two columns of the name {twice!r:.40}: rename one.")


def parse_names(texts: Sequence[str]) -> dict[str, str]:
    """Users' `column=NAME` as a mapping.

    Raises:
        ValueError: not of this form, no column of `ALIASES`, or one that is named twice.
    """
    names = {}
    for text in texts:
        column, equals, name = text.partition("=")
        if not equals or not name or column not in ALIASES:
            raise ValueError(
                f"--columns {text!r}: write COLUMN=NAME, as in observations=states. Columns: "
                f"{', '.join(ALIASES)}."
            )
        if column in names:
            raise ValueError(f"--columns names {column} twice: name it once.")
        names[column] = name
    return names
