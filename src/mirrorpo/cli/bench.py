"""``mirrorpo bench``: every objective on every dataset variant, scored by true return."""

import dataclasses
import hashlib
import json
from pathlib import Path

import tyro

from mirrorpo.cli.console import console, progress, start_jax
from mirrorpo.study.settings import BenchSettings


def bench(
    settings: tyro.conf.OmitArgPrefixes[BenchSettings],
    out: Path | None = None,
    cache: Path | None = None,
    ray: str | None = None,
    keep_agents: bool = False,
) -> None:
    """Train every objective on every dataset variant and score it by true return.

    An interrupted bench continues with the same command.

    Args:
        settings: what to measure.
        out: run folder; by default runs/bench-TASK-... named by the settings.
        cache: folder for simulated trajectories; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The table is the same.
        keep_agents: write the agent of each cell's first seed to OUT/agents, where `report
            --rollouts` finds it.
    """
    start_jax()
    from mirrorpo import files, plain_text, runs, variants
    from mirrorpo.execution import executor
    from mirrorpo.objectives.naming import split_list
    from mirrorpo.objectives.user_text import users_own
    from mirrorpo.runtime import cache as kept
    from mirrorpo.study import bench as bench_module
    from mirrorpo.study import table_notes, tables, tuning

    kept.check(cache)
    settings = dataclasses.replace(
        settings,
        variants=tuple(str(variants.parse(text)) for text in split_list(settings.variants)),
        algorithms=users_own(split_list(settings.algorithms)),
    )
    text = json.dumps(settings.recorded, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    out = out or runs.default_out("bench", f"{settings.task}-{digest}")
    with executor.place(ray) as place, progress("agents") as report:
        log, source_agents = bench_module.run(
            settings,
            out,
            lambda point: report(point.done, point.total, point.doing),
            cache,
            place,
            keep_agents,
        )
    table = tables.build(
        log.frame(), settings.task, settings.algorithms, settings.variants, source_agents
    )
    markdown = (
        f"{tables.to_markdown(table)}\n{table_notes.to_markdown(table)}\n"
        f"Interquartile mean [95 % interval]:\n\n{tables.to_markdown(table, measure='iqm')}\n"
    )
    searches = tuning.read(out)
    files.write_text(
        out / "table.md", f"{markdown}\n{tuning.to_markdown(searches)}".rstrip() + "\n"
    )
    summary = tuning.with_columns(tables.to_frame(table), searches)
    plain_text.write_csv(out / "summary.csv", summary)
    console.print(tables.to_rich(table))
    console.print(
        f"Mean true return, {settings.episodes} episodes per agent. {table_notes.errors(table)} "
        f"{table_notes.bold(table)} Every agent, its curves and its settings are in {out}."
    )
    tables.refuse_diverged(table, out)
