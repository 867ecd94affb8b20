"""``mirrorpo bench``: every objective on every dataset variant, scored by true return."""

from pathlib import Path

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, progress
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.study.settings import BenchSettings


def bench(
    settings: tyro.conf.OmitArgPrefixes[BenchSettings],
    out: Path | None = None,
    cache: Path | None = None,
    ray: str | None = None,
    keep_agents: bool = False,
) -> None:
    """Train every objective on every dataset variant and score it by true return.

    With --task reviews the agents are language models (extra `llm`), scored by a known reward of
    what they write; --protocol smoke checks in a minute that it works. With --task text the model,
    the prompts and the reward are yours, by --model, --prompts and --reward.

    With --data, agents are trained on the trajectories of a file, and scored by true return where
    its card names a task of MirrorPO's, else by how many held-out labels they agree with.

    The same command resumes an interrupted bench.

    Args:
        settings: what to measure.
        out: run folder; by default runs/bench-TASK-... named by the settings.
        cache: folder for simulated trajectories, or sampled texts; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The table is the same.
        keep_agents: write the agent of each cell's first seed to OUT/agents, where `report
            --rollouts` finds a robot's.
    """
    with progress("agents") as told:
        result = mpo.bench(
            settings,
            out=out or BY_NAME,
            cache=cache,
            ray=ray,
            keep_agents=keep_agents,
            progress=told,
        )
    from mirrorpo.study import table_notes, tables
    from mirrorpo.study.terminal_table import TerminalTable

    table = result.results
    console.print(TerminalTable(table, table.decimals))
    for title, other in result.side_tables:
        console.print(TerminalTable(other, other.decimals, f"{title} ± standard error"))
    console.print(
        f"{table_notes.score(table, settings.scoring.episodes)} {table_notes.errors(table)} "
        f"{table_notes.bold(table)} {result.prompts_note} Every agent, its curves and its settings "
        f"are in {result.folder}."
    )
    tables.refuse_diverged(table, result.folder)
