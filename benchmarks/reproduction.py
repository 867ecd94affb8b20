"""Our runs beside the paper's tables: order, significant pairs, claims, and a picture.

    python benchmarks/reproduction.py results/tla-paper results/leaderboard-tla --out docs/images
    python benchmarks/reproduction.py results/tla-paper --columns base
    python benchmarks/reproduction.py results/one results/two --under nearest=one,two

Prints, for each run and column, how many losses it has in common with the paper, the rank
correlation with an interval that redraws objectives and agents, and how many of the pairs that both
sides tell apart by two standard errors are ordered alike. Then the paper's claims one by one, and
the scores of the columns that `--columns` names. Runs that are trained and scored alike are joined,
whatever losses and columns they hold, and so are those that `--under` names together; of a loss
that two of them have, the first named run counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import tyro
from PIL import Image

from mirrorpo import near_names
from mirrorpo.cli.console import console, fail
from mirrorpo.reporting import claims, paper, picture
from mirrorpo.reporting.joined import JoinedRuns, agreements, join
from mirrorpo.reporting.published import unpacking
from mirrorpo.study import statistics
from mirrorpo.study.tables import NOT_RUN, mean_text

PICTURE, AGREEMENT, COLOURS = "reproduction.png", "reproduction-agreement.png", 128


def main(
    paths: tyro.conf.Positional[tuple[Path, ...]],
    columns: str = "",
    losses: str = "",
    out: Path | None = None,
    under: tuple[str, ...] = (),
) -> None:
    """Compare runs with the paper.

    Args:
        paths: runs, published or in a folder, finished or not. Of several protocols and tasks each
            is compared by itself; claims and picture take the first of each.
        columns: whose scores are printed, with commas between, such as base,noisy:0.3.
        losses: what alone is compared, with commas between, such as sft,dpo; default: every loss
            of the paper's table.
        out: folder for the pictures, reproduction.png and reproduction-agreement.png.
        under: NAME=RUN,RUN joins runs, by the last parts of their paths, as those of one protocol.
    """
    try:
        names = protocols(under, [path.name for path in paths])
        with unpacking.folders(paths) as folders:
            runs = [(path.name, folder) for path, folder in zip(paths, folders, strict=True)]
            every = [only(joined, losses) for joined in join(runs, names)]
        first = first_of_each(every)
        for line in report(every, first, [name for name in columns.split(",") if name]):
            console.print(line)
        if out is not None:
            from mirrorpo.reporting.agreement_plot import agreement_plot
            from mirrorpo.reporting.paper_plot import paper_plot

            out.mkdir(parents=True, exist_ok=True)
            for name, draw in ((PICTURE, paper_plot), (AGREEMENT, agreement_plot)):
                picture.save(draw(first), out / name)
                with_few_colours(out / name)
    except ValueError as error:
        fail(str(error))


def protocols(under: Sequence[str], runs: Sequence[str]) -> dict[str, str]:
    """The protocol of each run that an `--under` names.

    Raises:
        ValueError: not NAME=RUN,RUN, or a run that is not among `runs`.
    """
    found = {}
    for text in under:
        name, equals, listed = text.partition("=")
        if not (name and equals and listed):
            raise ValueError(f"--under takes NAME=RUN,RUN, not {text!r}.")
        for run in listed.split(","):
            if run not in runs:
                hint = near_names.hint(run, runs, most=1)
                raise ValueError(f"--under {name}: {run!r} is not one of the runs.{hint}")
            found[run] = name
    return found


def only(joined: JoinedRuns, losses: str) -> JoinedRuns:
    """Runs with some of their losses, named with commas between; all where none is named.

    Raises:
        ValueError: a loss that the paper's tables of the task do not have, with the near names.
    """
    names = [name.strip() for name in losses.split(",") if name.strip()]
    known = {name for column in paper.RESULTS[joined.task].scores.values() for name in column}
    for name in names:
        if name not in known:
            hint = near_names.hint(name, known, most=1)
            raise ValueError(f"--losses: {name!r} is not in the paper's tables.{hint}")
    if not names:
        return joined
    agents = joined.agents[joined.agents["algorithm"].isin(names)]
    return replace(joined, agents=agents)


def with_few_colours(path: Path) -> None:
    """Write a PNG again with a palette: less than half of its bytes, for the repository."""
    with Image.open(path) as whole:
        small = whole.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


def first_of_each(every: Sequence[JoinedRuns]) -> list[JoinedRuns]:
    """The first named of each protocol and task."""
    found: dict[tuple[str | None, str], JoinedRuns] = {}
    for joined in every:
        found.setdefault((joined.protocol, joined.task), joined)
    return list(found.values())


def report(
    every: Sequence[JoinedRuns], first: Sequence[JoinedRuns], columns: Sequence[str]
) -> Iterator[str]:
    """All that is printed, a line each."""
    for joined in every:
        yield f"{joined.protocol or 'no protocol'}, {joined.task}: {', '.join(joined.names)}"
        for row in joined.repeated:
            yield f"  {row.algorithm} on {row.variant}: of {row.taken}, not of {row.left_out}"
    yield ""
    yield from concordance_table(every)
    yield ""
    yield from claims_table(first)
    for joined in every:
        for variant in joined.variants:
            if variant in columns:
                yield ""
                yield from scores_table(joined, variant)


def concordance_table(every: Sequence[JoinedRuns]) -> Iterator[str]:
    """One row per protocol, task, runs and column."""
    yield (
        "| protocol, robot, runs | column | losses | rank correlation | pairs as in the paper | "
        "both with an SFT term |"
    )
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for joined in every:
        for variant, ranks, pairs in agreements(joined):
            low, high = ranks.spearman_interval
            known = f"{ranks.spearman:.2f} ({low:.2f} to {high:.2f})"
            rank = NOT_RUN if ranks.spearman != ranks.spearman else known
            agents = joined.column(variant)
            with_term = agents[agents["algorithm"].isin(claims.WITH_SFT_TERM)]
            among = statistics.concordance(with_term, paper.table(joined.task, variant))
            yield (
                f"| {joined.title} | {variant} | {len(ranks.algorithms)} | {rank} | "
                f"{alike(pairs)} | {alike(among)} |"
            )


def alike(pairs: statistics.Concordance) -> str:
    """How many of the pairs that both sides tell apart are ordered alike."""
    share = f" ({100 * pairs.share:.0f} %)" if pairs.both else ""
    return f"{pairs.alike} of {pairs.both}{share}"


def claims_table(first: Sequence[JoinedRuns]) -> Iterator[str]:
    """One row per claim; columns are the paper's own table and each protocol."""
    protocols = list(dict.fromkeys(joined.protocol for joined in first))
    yield f"| section, claim | the paper's table | {' | '.join(map(str, protocols))} |"
    yield f"| {' | '.join(['---'] * (len(protocols) + 2))} |"
    for claim in claims.CLAIMS:
        own = claims.held_against(claim, claims.papers_scores(claim.task))
        cells = [f"{claim.section}: {claim.text}", own.text]
        for protocol in protocols:
            of = [one for one in first if (one.protocol, one.task) == (protocol, claim.task)]
            scores = claims.our_scores(of[0]) if of else {}
            cells.append(claims.held_against(claim, scores).text if of else NOT_RUN)
        yield f"| {' | '.join(cells)} |"


def scores_table(joined: JoinedRuns, variant: str) -> Iterator[str]:
    """One column: each row beside the paper's, both normalised by their own source agents."""
    known = paper.RESULTS[joined.task]
    names = dict.fromkeys(joined.column(variant)["run"])
    shown = (
        f"{joined.sources[run].better.mean:.0f} and {joined.sources[run].worse.mean:.0f} ({run})"
        for run in names
    )
    yield f"{joined.title}, {variant}: source agents {', '.join(shown)}"
    yield ""
    yield "| algorithm | agents | true return | normalised | the paper's | normalised |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    agents = joined.column(variant)
    count = agents["algorithm"].value_counts()
    rows = statistics.row_means(agents).sort_values("mean", ascending=False)
    for row in rows.itertuples():
        theirs = known.scores[variant][row.algorithm]
        better, worse = joined.sources_of(variant, row.algorithm)
        scores = (
            float(statistics.normalised_score(*found))
            for found in (
                (row.mean, worse.mean, better.mean),
                (theirs[0], known.worse, known.better),
            )
        )
        # Adding 0 turns the -0 that rounding leaves into 0.
        ours, other = (f"{round(score, 2) + 0.0:.2f}" for score in scores)
        yield (
            f"| {row.algorithm} | {count[row.algorithm]} | "
            f"{mean_text(row.mean, row.standard_error, 0)} | {ours} | "
            f"{mean_text(*theirs, 0)} | {other} |"
        )


if __name__ == "__main__":
    tyro.cli(main)
