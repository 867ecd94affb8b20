"""One generation of a discovery, by the search itself, which notes where its seconds go."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirrorpo import json_lines, runs
from mirrorpo.discovery import search, strategy
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution import executor

from . import evosax_alone
from .counting import Counting
from .small_task import point


def with_peers(least_seconds: float, **sizes: int) -> dict[str, float]:
    """`measure` in this process, with what evosax alone takes, and the bytes of its messages.

    Args:
        least_seconds: how long evosax alone is measured at least, see `timed`.
        sizes: the sizes that `measure` takes.
    """
    numbers: list[int] = []

    @strategy.register("seen-open-es")
    def seen(settings: Any, size: int) -> strategy.Strategy:
        numbers.append(size)
        return strategy.make(replace(settings, strategy="open-es"), size)

    counted = Counting()
    found = measure(**sizes, strategy="seen-open-es", place=counted)
    agents, sent = max(counted.orders)
    _, received = max(counted.replies)
    population = sizes["population"]
    alone = evosax_alone.seconds_of_a_generation(population, numbers[0], least_seconds)
    return {
        **found,
        "evosax_seconds": alone,
        "numbers_searched": numbers[0],
        "agents_an_order": agents,
        "order_kib": sent / 2**10,
        "reply_kib": received / 2**10,
        "supply_mib": counted.supply / 2**20,
    }


def measure(
    population: int,
    rows: int,
    epochs: int,
    time_steps: int,
    episodes: int,
    ray: str | None = None,
    strategy: str = "open-es",
    place: executor.Workplace | None = None,
    small: bool = False,
) -> dict[str, float]:
    """Seconds of a generation on Hopper, split as the search's own metrics split them.

    Args:
        population: agents a generation; even. The search adds two: its start and its mean.
        rows: pairs that each trains on.
        epochs: passes over them.
        time_steps: sampled from each trajectory and minibatch.
        episodes: the number per agent.
        ray: a cluster, as for `--ray`; the times are then those that workers report, added up.
        strategy: the strategy's name.
        place: where the work runs, in place of `ray`.
        small: a point without physics in place of Hopper, to see that it runs.
    """
    # Three generations: the first compiles, the last validates, so the second is the one.
    with tempfile.TemporaryDirectory() as folder:
        settings = DiscoverySettings(
            generations=3,
            strategy=strategy,
            validate_every=3,
            population=population,
            rows=rows,
            epochs=epochs,
            time_steps=time_steps,
            episodes=episodes,
            validation_seeds=1,
            validation_rows=rows,
            validation_time_steps=time_steps,
            validation_episodes=episodes,
            **(point(Path(folder)) if small else {}),
        )
        out = Path(folder) / "search"
        with executor.workplace(ray) as cluster:
            search.discover(settings, out, place=place or cluster)
        first, second, _ = json_lines.read(out / runs.METRICS)
    trained, evaluated = second["train_seconds"], second["evaluate_seconds"]
    return {
        "seconds": second["seconds"],
        "training_seconds": trained,
        "evaluation_seconds": evaluated,
        "rest_seconds": second["seconds"] - trained - evaluated,
        "first_generation_seconds": first["seconds"],
    }
