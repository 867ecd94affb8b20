"""``mirrorpo discover``: search a preference objective by the return of the agents it trains."""

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path

import tyro

from mirrorpo.cli.console import console, progress, start_jax
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.divergence import Diverged


def discover(
    settings: tyro.conf.OmitArgPrefixes[DiscoverySettings],
    out: Path | None = None,
    ray: str | None = None,
) -> None:
    """Search the mirror family for the objective whose trained agents earn the most true return.

    An interrupted search continues with the same command. `tensorboard --logdir OUT` shows it live.

    Args:
        settings: what to search, and how.
        out: run folder; by default runs/discover-TASK-... named by the settings.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The objective found is the same.
    """
    start_jax()
    from mirrorpo import runs, variants
    from mirrorpo.discovery import kept_formula, search
    from mirrorpo.execution import executor
    from mirrorpo.objectives.naming import split_list
    from mirrorpo.runtime import cache

    cache.check()
    settings = dataclasses.replace(
        settings,
        variants=tuple(str(variants.parse(text)) for text in split_list(settings.variants)),
    )
    text = json.dumps(dataclasses.asdict(settings), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    out = out or runs.default_out("discover", f"{settings.task}-{digest}")
    with executor.place(ray) as place, progress("generations") as report:
        found = search.discover(
            settings, out, lambda point: report(point.done, point.total, point.doing), place
        )
    for line in found.provenance["validation"]:
        if line is found.provenance["validation"][0] or line == found.provenance["winner"]:
            returns = ", ".join(
                f"{variant} {'diverged' if value is None else format(value, '.0f')}"
                for variant, value in line["returns"].items()
            )
            error = line["standard_error"]
            spread = "" if error is None else f" ± {error:.3f}"
            console.print(
                f"{line['candidate']} of generation {line['generation']}: validation score "
                f"{line['score']:.3f}{spread} of {line['seeds']} agents; true return {returns}"
            )
    with contextlib.suppress(ValueError):  # of a gradient that no formula has
        formula = kept_formula.remember(out / search.RESULT, found)
        console.print(
            f"In few terms: {formula.text}; its gradient is off by "
            f"{100 * formula.relative_error:.2g} % (root mean square).",
            markup=False,
        )
    console.print(
        f"{found.provenance['agents_trained']} agents in "
        f"{found.provenance['seconds'] / 60:.1f} min. The best on validation is "
        f"{out / search.RESULT}: `mirrorpo bench --algorithms {out / search.RESULT}` measures it, "
        f"`mirrorpo explain {out / search.RESULT}` says what it is."
    )
    returns = found.provenance["winner"]["returns"]
    lost = [variant for variant, value in returns.items() if value is None]
    if lost:
        raise Diverged(
            f"Diverged: agents of the best objective, on {', '.join(lost)}. It is no result to use."
        )
