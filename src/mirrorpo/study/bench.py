"""The bench: every algorithm on every variant, hyper-parameters searched, scored by true return.

The search has its own seeds, its own data and its own evaluation episodes; the reported score
comes from fresh agents, trained on data and scored on episodes that the search has not seen.
Every agent is logged as it is finished; the same command resumes after a kill and ends with the
same table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mirrorpo import files, plain_text, runs, variants
from mirrorpo.discovery import shapes
from mirrorpo.execution.executor import Alone, Place, at
from mirrorpo.preferences import facts, views
from mirrorpo.preferences.draws import draw
from mirrorpo.study import ground, kept_agents, tuned, tuning
from mirrorpo.study.algorithms import load
from mirrorpo.study.column import FINAL_EPISODES_SEED, Column, Keep
from mirrorpo.study.records import Log
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent
from mirrorpo.training import learner


@dataclass(frozen=True)
class Progress:
    """Where a bench stands, given to its `progress` callback.

    Attributes:
        done: agents finished, earlier runs of the same command included.
        total: agents of the whole bench, as far as is known by now: a search may widen a range
            and add trials.
        doing: what is being computed.
    """

    done: int
    total: int
    doing: str


@runs.holding()
def run(
    settings: BenchSettings,
    out: Path,
    progress: Callable[[Progress], None] = lambda point: None,
    cache: Path | None = None,
    place: Place | None = None,
    keep_agents: bool = False,
) -> tuple[Log, list[SourceAgent]]:
    """Measure what `settings` asks for, or what is left of it.

    Args:
        settings: see `BenchSettings`.
        out: run folder, new or of the same settings.
        progress: called after each batch of agents.
        cache: folder for simulated trajectories; None for the user's cache.
        place: where agents are trained and scored; None for this process.
        keep_agents: write the agent of each cell's first seed to `out/agents`; one that an
            earlier call has logged already is not trained again for it.

    Returns:
        The log of all agents, and the source agents' returns. `out` then holds
        results.parquet and results.csv, one row a trained agent, sources.json, and tuned.json,
        the hyper-parameters of each cell and how they were found.

    Raises:
        ValueError: an unknown name, a setting out of range, a folder of another run, or files
            that do not fit the task. All names are checked before anything is computed.
    """
    settings = ground.settled(settings)
    algorithms = [load(text) for text in settings.algorithms]
    training = settings.training
    for algorithm in algorithms:
        learner.stage_epochs(algorithm.objective, training.epochs, training.single_stage)
    faults = [variants.parse(text) for text in settings.variants]
    base = ground.of(settings, cache)
    base.check(settings)

    contents = {algorithm.text: algorithm.checksum for algorithm in algorithms}
    recorded = {**settings.recorded, **base.claims}
    runs.claim(out, recorded, contents | {**base.checksums}, kind="bench")
    for algorithm in algorithms:
        shapes.remember(out, algorithm.text, algorithm.objective, algorithm.search_grid)
    log = Log(out / runs.METRICS)
    columns: list[Column] = []

    def report(doing: str) -> None:
        total = sum(column.planned(one) for column in columns for one in algorithms)
        progress(Progress(min(len(log), total), total, doing))

    keep = Keep(base.scene, out / kept_agents.FOLDER) if keep_agents else None
    columns += [Column(str(fault), settings, base.rows, log, report, keep) for fault in faults]
    report("source agents")
    source_agents = _source_agents(out, base, settings)
    # All of one draw at a time: a pool may fill much of the memory.
    finals = [draw(settings.data_seed, "score", at) for at in range(settings.scoring.data_draws)]
    for phase, number in [("search", settings.search_draw), *(("final", one) for one in finals)]:
        left = [one for one in columns if not one.is_complete(phase, number, algorithms)]
        if not left:
            continue
        report("trajectories")
        supply = base.supply(phase, number, report)
        with at(place, Alone(supply)) as workers:
            for column in left:
                if number == finals[0]:
                    variant, source = column.variant, supply.pools[number]
                    dataset = views.label(source, variant, number, base.rows)
                    facts.remember(out, facts.describe(dataset))
                column.measure(phase, number, algorithms, workers)
    frame = log.frame()
    files.write_atomically(out / "results.parquet", lambda path: frame.to_parquet(path))
    plain_text.write_csv(out / "results.csv", frame)
    searches = {
        (algorithm.text, column.variant): tuning.summarise(
            search, settings.search_seeds, str(settings.tune_by)
        )
        for algorithm in algorithms
        for column in columns
        if (search := column.search(algorithm))
    }
    content = {"task": settings.task, "algorithms": tuned.found(frame)}
    content |= {tuning.KEY: tuning.to_json(searches), "settings": settings.recorded}
    files.write_json(out / tuning.FILE, content)
    return log, source_agents


def _source_agents(out: Path, base: ground.Ground, settings: BenchSettings) -> list[SourceAgent]:
    path = out / "sources.json"
    if path.is_file():
        return files.read_rows(path, "the source agents' returns", SourceAgent)
    rows = base.source_agents(settings, FINAL_EPISODES_SEED)
    files.write_json(path, [row._asdict() for row in rows])
    return rows
