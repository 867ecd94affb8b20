"""Where orders are worked off: in this process, on a Ray cluster, or wherever `register` says. The
results are the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from mirrorpo.execution.batch import Order, ScoredAgents, Supply, Worker, agents_at_once


class Workers(Protocol):
    """Workers that have their supply.

    Attributes:
        count: the number of workers.
        agents_at_once: agents that one of them trains together.
    """

    count: int
    agents_at_once: int

    def work_off(self, orders: Sequence[Order]) -> Iterator[tuple[int, ScoredAgents]]:
        """Each order's position and what became of it, as soon as it is done, in any order.

        Raises:
            ValueError: see `orders.Worker.work_off`.
        """
        ...


class Workplace(Protocol):
    """Somewhere that workers can be started."""

    def workers(self, supply: Supply) -> AbstractContextManager[Workers]:
        """Workers for one run, until the context ends."""
        ...


class Alone:
    """This process as the only worker, with all its devices."""

    def __init__(self, supply: Supply):
        self.worker = Worker(supply)
        self.count = 1
        self.agents_at_once = agents_at_once()

    def work_off(self, orders: Sequence[Order]) -> Iterator[tuple[int, ScoredAgents]]:
        for position, order in enumerate(orders):
            yield position, self.worker.work_off(order)


def at(place: Workplace | None, alone: Alone) -> AbstractContextManager[Workers]:
    """Workers at a place with the supply of `alone`; `alone` itself where there is no place."""
    return nullcontext(alone) if place is None else place.workers(alone.worker.supply)


Opener = Callable[[str], AbstractContextManager[Workplace]]
_OPENERS: dict[str, Opener] = {}


def register(name: str, opener: Opener) -> None:
    """Add a place where work runs, beside Ray.

    Args:
        name: what `workplace` takes, alone or as in NAME:REST.
        opener: opens the place for a context, from REST.

    Raises:
        ValueError: the name is taken, by Ray's own forms too.
    """
    if name in (*_OPENERS, "auto", "local") or ":" in name:
        raise ValueError(f"A place cannot be named {name!r}: choose another name.")
    _OPENERS[name] = opener


@contextmanager
def workplace(ray: str | None) -> Iterator[Workplace | None]:
    """The cluster that `ray` names, for as long as the context lasts; None without a name.

    Args:
        ray: None; a registered place; or of Ray "auto", HOST:PORT or "local:N", see
            `ray_cluster.connect`.

    Raises:
        ValueError: no such cluster, or it does not answer.
        ModuleNotFoundError: Ray is not installed.
    """
    if ray is None:
        yield None
        return
    if not isinstance(ray, str):
        raise ValueError(f"ray is {ray!r:.40}, but must be a text such as local:2, or None.")
    name, _, rest = ray.partition(":")
    if name in _OPENERS:
        with _OPENERS[name](rest) as place:
            yield place
        return
    from mirrorpo.execution import ray_cluster

    with ray_cluster.connect(ray) as cluster:
        yield cluster
