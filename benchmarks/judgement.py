"""Our two losses against the best tuned ones, on data and seeds that nobody chose anything on.

    python -m benchmarks.judgement run hopper runs/judgement
    python -m benchmarks.judgement run hopper runs/judgement --also LOSS LOSS --as more
    python -m benchmarks.judgement show results/judgement [--with more] [--ours LOSS LOSS]

`run` takes, for each column of a robot's published tables, SFT and the `BEST` losses that earned
most there, with the values that they were tuned to, and trains 25 agents of each, five on each of
five new draws of the data. It resumes after a kill. So the draw is the unit of every test: five
differences, four degrees of freedom. With `--also` it trains other losses on the same draws with
the same seeds, in benches of their own, which `show` includes where `--with` names them.

`show` prints the returns and, corrected by Holm for all rows of a robot, how far our losses, or
those of `--ours`, are ahead; then, on all robots together, how far ahead of SFT and of the first of
each table. The best of a table were lucky there; here they need not be.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import which_losses
from mirrorpo.cli.console import fail
from mirrorpo.objectives.naming import parse, with_values
from mirrorpo.reporting import comparison
from mirrorpo.reporting.published import unpacking
from mirrorpo.runtime.start import start_jax
from mirrorpo.study import bench, statistics
from mirrorpo.study.phases import FINAL
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.statistics.best import LEVEL
from mirrorpo.study.statistics.paired import t_test
from mirrorpo.study.tables import mean_text

OURS = ("gated[weight=1,lower=0.5]", "slic-robust")
BEST = 4
FIRST = "the first of the table"
SEEDS, DRAWS, DATA_SEED = 25, 5, 50

TABLES = {"noisy:0.3": "noisy", "mixed-quality": "mixed", "base": "base"}
"""Column -> end of the name of the published bench that holds it."""

RESULTS = Path(__file__).parents[1] / "results"

NO_RIVALS = ("gated", "slic-robust", "hopper-", "paper-")
"""What names begin with that are fixed in those tables: ours, kin to ours, and what searches
found."""

SETTINGS: dict[str, dict[str, Any]] = {
    "hopper": {"rows": 1024, "episodes": 8},
    "walker2d": {"rows": 1024, "episodes": 8, "better": "walker2d-steady"},
    "tla": {"rows": 1280, "episodes": 6},
}
"""As in those tables."""


def rivals(robot: str, column: str, best: int = BEST) -> list[str]:
    """The best named losses of a published column, with the values that they were tuned to."""
    frame = which_losses.agents([RESULTS / f"leaderboard-{robot}-{TABLES[column]}"])
    final = frame[(frame["phase"] == FINAL) & (frame["variant"] == column)]
    named = final[[_is_rival(name) for name in final["algorithm"]]]
    order = named.groupby("algorithm")["return_mean"].mean().sort_values(ascending=False)
    used = named.groupby("algorithm")["hyperparameters"].first()
    return [with_values(name, json.loads(used[name])) for name in order.index[:best]]


def _is_rival(name: str) -> bool:
    # A schedule in brackets names a row of the tables; other values in brackets fix a loss.
    fixed = set(parse(name).values) - {"schedule"}
    return name != "sft" and not fixed and not name.startswith(NO_RIVALS)


def settings_of(robot: str, column: str, also: Sequence[str] = ()) -> BenchSettings:
    """The settings of a column's bench. It trains `also`, or else ours, SFT and the best others."""
    return BenchSettings(
        task=robot,
        variants=(column,),
        algorithms=tuple(also) or (*OURS, "sft", *rivals(robot, column)),
        time_steps=64,
        seeds=SEEDS,
        data_draws=DRAWS,
        data_seed=DATA_SEED,
        **SETTINGS[robot],
    )


def bench_name(robot: str, table: str, name: str = "") -> str:
    """The name of a bench's folder; without `name` it is the column's main bench."""
    return "-".join(filter(None, (robot, table, name)))


def measure(
    robot: str, folder: Path, cache: Path | None, also: Sequence[str] = (), name: str = ""
) -> None:
    """Run a robot's benches, or what is left of them; those of `also` have a `name`."""
    for column, table in TABLES.items():
        out = folder / bench_name(robot, table, name)

        def tell(done: float, total: float, doing: str, out: Path = out) -> None:
            print(f"{out.name}: {done} of {total} agents, {doing}", flush=True)

        bench.run(settings_of(robot, column, also), out, tell, cache)


def agents(folder: Path, names: Sequence[str] = ()) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each robot that is there, with its agents, also of the benches of `--as` that are named."""
    for robot in SETTINGS:
        benches = [
            bench_name(robot, table, one) for one in ("", *names) for table in TABLES.values()
        ]
        logs = [log for one in benches if (log := folder / one / "metrics.jsonl").is_file()]
        if logs:
            parts = [_normalised(comparison.read_parts(log.parent)) for log in logs]
            yield robot, pd.concat(parts, ignore_index=True)


def _normalised(run: comparison.RunParts) -> pd.DataFrame:
    """Agents with a column `normalised`: 0 is the worse source agent's return, 1 the better's."""
    better, worse = run.sources
    scores = statistics.normalised_score(run.agents["return_mean"], worse.mean, better.mean)
    return run.agents.assign(normalised=scores)


def differences(frame: pd.DataFrame, ours: Sequence[str] = OURS) -> pd.DataFrame:
    """Each of `ours` less each other loss in each column, paired by draw and seed; the error is
    over draws, and `corrected_p` is Holm's over all rows."""
    lines = []
    for column, part in frame.groupby("variant", sort=False):
        by_loss = dict(list(part.groupby("algorithm", sort=False)))
        for mine in [name for name in ours if name in by_loss]:
            for other in by_loss:
                if other not in ours:
                    told = statistics.paired_difference(by_loss[mine], by_loss[other])
                    numbers = (told.mean, told.standard_error, told.p_value)
                    lines.append((column, mine, other, *numbers))
    names = ["variant", "ours", "other", "difference", "error", "p_value"]
    found = pd.DataFrame(lines, columns=names)
    return found.assign(corrected_p=statistics.holm(found["p_value"]))


class Lead(NamedTuple):
    """How far one loss is ahead on several robots, in normalised scores: the mean of the robots'
    means, its standard error over the draws of each, and the p value of a t-test."""

    mean: float
    error: float
    p_value: float


def together(robots: Mapping[str, pd.DataFrame], ours: Sequence[str] = OURS) -> pd.DataFrame:
    """In each column that all robots have, how far each of ours is ahead of SFT and of the loss
    that earned most in that robot's table; `corrected_p` is Holm's over all rows."""
    lines = []
    for column in TABLES:
        wide = {
            robot: frame[frame["variant"] == column].pivot_table(
                index=["data_draw", "seed"], columns="algorithm", values="normalised"
            )
            for robot, frame in robots.items()
        }
        first = {robot: rivals(robot, column, 1)[0] for robot in robots}
        for mine in ours:
            for told, other in (("sft", dict.fromkeys(robots, "sft")), (FIRST, first)):
                if all({mine, other[robot]} <= set(wide[robot]) for robot in robots):
                    leads = [
                        (table[mine] - table[other[robot]]).groupby("data_draw").mean().dropna()
                        for robot, table in wide.items()
                    ]
                    lines.append((column, mine, told, *joint(leads)))
    found = pd.DataFrame(lines, columns=["variant", "ours", "other", *Lead._fields])
    return found.assign(corrected_p=statistics.holm(found["p_value"]))


def joint(leads: Sequence[pd.Series]) -> Lead:
    """Of each robot's leads, one per draw; the degrees of freedom are Satterthwaite's."""
    variances = np.array([lead.var(ddof=1) / len(lead) for lead in leads])
    error = float(np.sqrt(variances.sum())) / len(leads)
    own = np.array([len(lead) - 1 for lead in leads])
    freedom = float(variances.sum() ** 2 / (variances**2 / own).sum())
    mean = float(np.mean([lead.mean() for lead in leads]))
    return Lead(mean, error, t_test(mean, error, freedom))


def summary(robots: Mapping[str, pd.DataFrame], ours: Sequence[str] = OURS) -> Iterator[str]:
    """What is printed of all robots."""
    yield f"\nall of {', '.join(robots)}, as a share of the way from the worse source agent:\n"
    yield "| data | loss | ahead of | by | corrected p |"
    yield "| --- | --- | --- | ---: | ---: |"
    for row in together(robots, ours).itertuples():
        by = mean_text(row.mean, row.error, 3)
        by = f"**{by}**" if row.corrected_p < LEVEL else by
        yield f"| {row.variant} | {row.ours} | {row.other} | {by} | {row.corrected_p:.2g} |"


def report(robot: str, frame: pd.DataFrame, ours: Sequence[str] = OURS) -> Iterator[str]:
    """What is printed of a robot: a table per column."""
    tested = differences(frame, ours)
    for column in [name for name in TABLES if name in set(frame["variant"])]:
        part = frame[frame["variant"] == column]
        means = statistics.row_means(part).sort_values("mean", ascending=False)
        yield f"\n{robot}, {column}:\n"
        heads = " | ".join(f"{_short(name)} less it" for name in ours)
        yield f"| loss | agents | true return | {heads} |"
        yield f"| --- | ---: | ---: |{' ---: |' * len(ours)}"
        for row in means.itertuples():
            own = tested[(tested["variant"] == column) & (tested["other"] == row.algorithm)]
            ahead = [_told(own[own["ours"] == mine]) for mine in ours]
            count = int((part["algorithm"] == row.algorithm).sum())
            told = mean_text(row.mean, row.standard_error, 0)
            yield f"| {row.algorithm} | {count} | {told} | {' | '.join(ahead)} |"


def _short(name: str) -> str:
    """A loss's name without values; a file's folder and name."""
    return parse(name).name.removesuffix("/objective.safetensors")


def _told(line: pd.DataFrame) -> str:
    """A difference, in bold where the corrected test finds one."""
    if line.empty:
        return ""
    row = line.iloc[0]
    told = f"{mean_text(row['difference'], row['error'], 0)} (p {row['corrected_p']:.2g})"
    return f"**{told}**" if row["corrected_p"] < LEVEL else told


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge our losses on new data, or show it.")
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="train what is left to train")
    run.add_argument("robot", choices=sorted(SETTINGS))
    run.add_argument("folder", type=Path)
    run.add_argument("--cache", type=Path)
    run.add_argument("--also", nargs="+", default=[], metavar="LOSS", help="these alone")
    run.add_argument("--as", dest="name", default="", help="the name of their benches")
    show = actions.add_parser("show", help="print the tables")
    show.add_argument("folder", type=Path)
    show.add_argument("--with", dest="names", nargs="+", default=[], help="names of --as")
    show.add_argument("--ours", nargs="+", default=OURS, metavar="LOSS", help="compare these")
    given = parser.parse_args()
    if given.action == "run" and bool(given.also) != bool(given.name):
        parser.error("--also and --as belong together.")
    start_jax()
    try:
        if given.action == "run":
            measure(given.robot, given.folder, given.cache, given.also, given.name)
            return
        with unpacking.folders([given.folder]) as (folder,):
            robots = dict(agents(folder, given.names))
            for robot, frame in robots.items():
                print("\n".join(report(robot, frame, given.ours)))
            if len(robots) > 1:
                print("\n".join(summary(robots, given.ours)))
    except ValueError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
