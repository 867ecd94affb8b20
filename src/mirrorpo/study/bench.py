"""The bench: every algorithm on every variant, hyper-parameters searched, scored by true return.

What is trained, and on what, is a ground's: robots or language models.

The search has its own seeds, its own data and its own evaluation episodes; the reported score
comes from fresh agents, trained on data and scored on episodes that the search has not seen.
Every agent is logged as it is finished; the same command resumes after a kill and ends with the
same table.
"""

from pathlib import Path

from mirrorpo import files, plain_text, runs, variants
from mirrorpo.discovery import shapes
from mirrorpo.execution.workers import Workplace
from mirrorpo.preferences import facts
from mirrorpo.preferences.draws import draw
from mirrorpo.progress import Progress, silent
from mirrorpo.study import ground, tryout, tuned, tuning
from mirrorpo.study.algorithms import load
from mirrorpo.study.column import Column
from mirrorpo.study.jobs import JobProgress
from mirrorpo.study.phases import FINAL, SEARCH
from mirrorpo.study.records import BenchLog
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent


@runs.holding()
def run(
    settings: BenchSettings,
    out: Path,
    progress: Progress = silent,
    cache: Path | None = None,
    place: Workplace | None = None,
    keep_agents: bool = False,
) -> tuple[BenchLog, list[SourceAgent]]:
    """Measure what `settings` asks for, or what is left of it.

    Args:
        settings: see `BenchSettings`.
        out: run folder, new or of the same settings.
        progress: told, after each batch, the agents finished, earlier runs of the same command and
            the share that is done of the one at work included; the agents of the whole bench as
            far as is known by now, as a search may widen a range and add trials; and what is
            being computed.
        cache: folder for simulated trajectories, or sampled texts; None for the user's cache.
        place: where agents are trained and scored; None for this process.
        keep_agents: write the agent of each cell's first seed, a policy or an adapter, to
            `out/agents`; one that an earlier call has logged already is not trained again for it.

    Returns:
        The log of all agents, and the source agents' returns. `out` then holds
        results.parquet and results.csv, one row per trained agent, sources.json, and tuned.json,
        the hyper-parameters of each cell and how they were found.

    Raises:
        ValueError: an unknown name, a setting out of range, a folder of another run, files that do
            not fit the task, or a model that cannot be loaded. All names are checked before
            anything is computed.
    """
    settings = ground.settled(settings)
    library: tryout.Library = "torch" if settings.is_of_texts else "jax"
    algorithms = [load(text, library) for text in settings.algorithms]
    faults = [variants.parse(text) for text in settings.variants]
    base = ground.of(settings, out, cache, place, keep_agents)
    base.check(algorithms)

    contents = {algorithm.text: algorithm.checksum for algorithm in algorithms}
    recorded = {**settings.recorded, **base.claims}
    runs.claim(out, recorded, contents | {**base.checksums}, kind="bench")
    # A user's own objective for PyTorch need not run in JAX, which draws shapes.
    for algorithm in algorithms if library == "jax" else ():
        shapes.remember(out, algorithm.text, algorithm.objective, algorithm.search_grid)
    log = BenchLog(out / runs.METRICS)
    columns: list[Column] = []

    def report(doing: str, part: float = 0.0) -> None:
        total = sum(column.planned(one) for column in columns for one in algorithms)
        progress(min(len(log) + part, total), total, doing)

    columns += [Column(str(fault), settings, base.episodes_seed, log, report) for fault in faults]
    report("source agents")
    source_agents = _source_agents(out, base, report)
    finals = [draw(settings.data_seed, "score", at) for at in range(settings.scoring.data_draws)]
    together = [finals] if base.takes_all_draws else [[one] for one in finals]
    for phase, draws in [(SEARCH, settings.searched), *((FINAL, some) for some in together)]:
        left = [one for one in columns if not one.is_complete(phase, draws, algorithms)]
        if not left:
            continue
        with base.trainer(phase, draws, report) as trainer:
            for column in left:
                if draws[0] == finals[0]:
                    facts.remember(out, trainer.facts(column.variant))
                column.measure(phase, draws, algorithms, trainer)
    base.finish()
    frame = log.frame()
    files.write_atomically(out / "results.parquet", lambda path: frame.to_parquet(path))
    plain_text.write_csv(out / "results.csv", frame)
    searches = {
        (algorithm.text, column.variant): tuning.summarise(search, str(settings.tune_by))
        for algorithm in algorithms
        for column in columns
        if (search := column.search(algorithm))
    }
    content = {"task": settings.task, "algorithms": tuned.found(frame)}
    content |= {tuning.KEY: tuning.to_json(searches), "settings": settings.recorded}
    files.write_json(out / tuning.FILE, content)
    return log, source_agents


def _source_agents(out: Path, base: ground.Ground, report: JobProgress) -> list[SourceAgent]:
    path = out / "sources.json"
    if path.is_file():
        return files.read_rows(path, "the source agents' returns", SourceAgent)
    rows = base.source_agents(report)
    files.write_json(path, [row._asdict() for row in rows])
    return rows
