"""One generation of a discovery, by the search itself, which notes where its seconds go."""

import tempfile
from pathlib import Path

from mirrorpo import json_lines, runs
from mirrorpo.discovery import search
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution import executor


def measure(
    population: int,
    rows: int,
    epochs: int,
    time_steps: int,
    episodes: int,
    ray: str | None = None,
) -> dict[str, float]:
    """Seconds of a generation on Hopper, split as the search's own metrics split them.

    Args:
        population: agents a generation; even. The search adds two: its start and its mean.
        rows: pairs that each trains on.
        epochs: passes over them.
        time_steps: sampled from each trajectory and minibatch.
        episodes: the number per agent.
        ray: as the option of the commands; the split is then what workers report, added up.
    """
    # Three generations: the first compiles, the last validates, so the second is the one.
    settings = DiscoverySettings(
        generations=3,
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
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "search"
        with executor.workplace(ray) as place:
            search.discover(settings, out, place=place)
        first, second, _ = json_lines.read(out / runs.METRICS)
    trained, evaluated = second["train_seconds"], second["evaluate_seconds"]
    return {
        "seconds": second["seconds"],
        "training_seconds": trained,
        "evaluation_seconds": evaluated,
        "rest_seconds": second["seconds"] - trained - evaluated,
        "first_generation_seconds": first["seconds"],
    }
