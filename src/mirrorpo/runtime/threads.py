"""Independent work side by side in threads of this process."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(make: Callable[[Item], Made], items: Iterable[Item], most: int) -> Iterator[Made]:
    """`make` of each item, in order, up to `most` of them at once.

    One at a time, they are made in the thread that asks.

    Whoever stops asking waits for those that have begun, and the others are not begun.

    Raises:
        Exception: what `make` raises for an item, in place of its result.
    """
    if most <= 1:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(most) as threads:
        begun = [threads.submit(make, item) for item in items]
        try:
            for one in begun:
                yield one.result()
        finally:
            threads.shutdown(cancel_futures=True)
