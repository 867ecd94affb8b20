"""Which random draw of trajectories and labels serves which purpose: no two purposes share one.

Hyper-parameters chosen on one draw may fit its flipped labels; a score on another draw shows it.
A draw is one number, the seed of both the trajectories and the labels.
"""

from typing import Literal

from mirrorpo.seeds import LARGEST_SEED

Purpose = Literal["score", "search", "fitness", "validation"]

_FIRST: dict[Purpose, int] = {"score": 0, "search": 10_000, "fitness": 20_000, "validation": 80_000}
_SEEDS_PER_DATA_SEED = 100_000
LARGEST_DATA_SEED = (LARGEST_SEED + 1) // _SEEDS_PER_DATA_SEED - 1


def draw(data_seed: int, purpose: Purpose, index: int = 0) -> int:
    """The seed of one draw.

    Args:
        data_seed: the user's, between 0 and `LARGEST_DATA_SEED`.
        purpose: "score" (a bench's reported agents), "search" (a bench's hyper-parameters),
            "fitness" (a discovery's generations) or "validation" (of a discovery).
        index: counts the draws of one purpose.

    Raises:
        ValueError: a seed or an index out of range.
    """
    check_data_seed(data_seed)
    ends = sorted([*_FIRST.values(), _SEEDS_PER_DATA_SEED])
    room = ends[ends.index(_FIRST[purpose]) + 1] - _FIRST[purpose]
    if not 0 <= index < room:
        raise ValueError(f"There are {room} draws for {purpose}, so none is number {index}.")
    return data_seed * _SEEDS_PER_DATA_SEED + _FIRST[purpose] + index


def check_data_seed(data_seed: int) -> None:
    """Raise ValueError where a user's data seed is out of range."""
    if not 0 <= data_seed <= LARGEST_DATA_SEED:
        raise ValueError(f"data_seed must be between 0 and {LARGEST_DATA_SEED}, not {data_seed}.")
