"""What works orders off: a supply, a worker of it, and several of these at some place."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, Protocol, TypeVar

from mirrorpo.objectives import Objective


class AnyOrder(Protocol):
    """Agents to train and score: of robots a `batch.Order`."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """One for each agent."""
        ...


Given = TypeVar("Given", bound=AnyOrder, contravariant=True)
Done = TypeVar("Done", covariant=True)


class AnySupply(Protocol[Given, Done]):
    """What every worker of a run needs once, and what makes a worker of it."""

    def portable(self) -> "AnySupply[Given, Done]":
        """The same, of what can be pickled and read on a machine with other devices."""
        ...

    def worker(self) -> "AnyWorker[Given, Done]":
        """A worker in this process, with all its devices."""
        ...


class AnyWorker(Protocol[Given, Done]):
    """Works orders off in its process."""

    @property
    def agents_at_once(self) -> int:
        """Agents that it trains together."""
        ...

    def work_off(self, order: Given) -> Done:
        """Train and score an order's agents.

        Raises:
            ValueError: they cannot be trained.
        """
        ...


class Workers(Protocol[Given, Done]):
    """Workers that have their supply.

    Attributes:
        count: the number of workers.
        agents_at_once: agents that one of them trains together.
    """

    count: int
    agents_at_once: int

    def work_off(self, orders: Sequence[Given]) -> Iterator[tuple[int, Done]]:
        """Each order's position and what became of it, as soon as it is done, in any order.

        Raises:
            ValueError: see `AnyWorker.work_off`.
        """
        ...


class Workplace(Protocol):
    """Somewhere that workers can be started."""

    def workers(
        self, supply: AnySupply[Given, Done]
    ) -> AbstractContextManager[Workers[Given, Done]]:
        """Workers for one run, until the context ends."""
        ...


class Alone(Generic[Given, Done]):
    """This process as the only worker, with all its devices; `Workers`.

    Args:
        supply: what the worker needs.
        worker: one of this supply that there is already; None to make one.
    """

    def __init__(
        self, supply: AnySupply[Given, Done], worker: AnyWorker[Given, Done] | None = None
    ):
        self.supply = supply
        self.worker = worker or supply.worker()
        self.count = 1
        self.agents_at_once = self.worker.agents_at_once

    def work_off(self, orders: Sequence[Given]) -> Iterator[tuple[int, Done]]:
        for position, order in enumerate(orders):
            yield position, self.worker.work_off(order)


def at(
    place: Workplace | None, alone: Alone[Given, Done]
) -> AbstractContextManager[Workers[Given, Done]]:
    """Workers at a place with the supply of `alone`; `alone` itself where there is no place."""
    return nullcontext(alone) if place is None else place.workers(alone.supply)
