"""Workers that count the bytes of what would cross a network, were they elsewhere."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mirrorpo.execution.batch import Order, ScoredAgents, Supply
from mirrorpo.execution.workers import Alone


@dataclass
class Counting:
    """This process as a workplace, which pickles what a worker elsewhere would be sent.

    Attributes:
        supply: bytes of what a worker is given once.
        orders: agents and bytes of each order.
        replies: agents and bytes of each reply.
    """

    supply: int = 0
    orders: list[tuple[int, int]] = field(default_factory=list)
    replies: list[tuple[int, int]] = field(default_factory=list)

    @contextmanager
    def workers(self, supply: Supply) -> Iterator["_Workers"]:
        self.supply = _bytes(supply.portable())
        yield _Workers(Alone(supply), self)


class _Workers:
    def __init__(self, alone: Alone[Order, ScoredAgents], counts: Counting):
        self.count, self.agents_at_once = alone.count, alone.agents_at_once
        self._alone, self._counts = alone, counts

    def work_off(self, orders: Sequence[Order]) -> Iterator[tuple[int, ScoredAgents]]:
        for position, scored in self._alone.work_off(orders):
            agents = len(orders[position].seeds)
            self._counts.orders.append((agents, _bytes(orders[position])))
            self._counts.replies.append((agents, _bytes(scored)))
            yield position, scored


def _bytes(value: object) -> int:
    return len(pickle.dumps(value, protocol=5))
