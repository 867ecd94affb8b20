"""Where orders are worked off: in this process, on a Ray cluster, or wherever `register` says.

The results are the same.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mirrorpo.execution.workers import Workplace

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
