"""``mirrorpo discover``: search a preference objective by the return of the agents it trains."""

from pathlib import Path

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, progress
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.divergence import Diverged
from mirrorpo.front.run_folder import BY_NAME


def discover(
    settings: tyro.conf.OmitArgPrefixes[DiscoverySettings],
    out: Path | None = None,
    cache: Path | None = None,
    ray: str | None = None,
) -> None:
    """Search the mirror family for the objective whose trained agents earn the most true return.

    The same command resumes an interrupted search. `tensorboard --logdir OUT` shows it live.

    Args:
        settings: what to search, and how.
        out: run folder; by default runs/discover-TASK-... named by the settings.
        cache: folder for simulated trajectories; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The objective found is the same.
    """
    with progress("generations") as told:
        found = mpo.discover(settings, out=out or BY_NAME, cache=cache, ray=ray, progress=told)
    for line in found.lines:
        console.print(line)
    file = found.file
    console.print(
        f"{found.provenance['agents_trained']} agents in "
        f"{found.provenance['seconds'] / 60:.1f} min. The best on validation is "
        f"{file}: `mirrorpo bench --algorithms {file}` measures it, "
        f"`mirrorpo explain {file}` says what it is."
    )
    if found.diverged:
        raise Diverged(
            f"Diverged: agents of the best objective, on {', '.join(found.diverged)}. It is no "
            "result to use."
        )
