"""How the stages of an objective share a training, in whole epochs or steps."""

from collections.abc import Sequence


def ends(shares: Sequence[int], units: int) -> tuple[int, ...]:
    """Where each stage ends, rounded to whole units; every stage has at least one.

    Args:
        shares: the share of each stage, in the order they train.
        units: epochs or steps of the whole training, at least one for each stage.
    """
    found: list[int] = []
    for position in range(len(shares)):
        exact = sum(shares[: position + 1]) * units / sum(shares)
        least = (found[-1] if found else 0) + 1
        most = units - (len(shares) - 1 - position)
        found.append(min(max(round(exact), least), most))
    return tuple(found)
