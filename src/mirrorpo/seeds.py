"""The range of a seed: one bound for every random generator here."""

from collections.abc import Iterable

LARGEST_SEED = 2**31 - 1
"""The largest that a user may give. All generators take it, and those that count on from it."""

_LARGEST_DERIVED = 2**32 - 1
"""The largest that may be made of a user's by counting on."""


def check(seed: int, name: str = "seed") -> None:
    """Raise ValueError for a seed that no random generator here takes; `name` is the option's."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"{name} must be between 0 and 2**31 - 1 = {LARGEST_SEED:,}, not {seed}.")


def check_derived(seeds: Iterable[int]) -> None:
    """Raise ValueError for seeds of agents that are out of range."""
    given = list(seeds)
    if not all(0 <= seed <= _LARGEST_DERIVED for seed in given):
        raise ValueError(f"Seeds must be between 0 and 2**32 - 1, not {given}.")
