"""The range of a seed: one bound for every random generator here."""

LARGEST_SEED = 2**31 - 1


def check(seed: int, name: str = "seed") -> None:
    """Raise ValueError for a seed that no random generator here takes; `name` is the option's."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"{name} must be between 0 and 2**31 - 1, not {seed}.")
