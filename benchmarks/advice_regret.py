"""What following `mirrorpo recommend` costs, on robots and faults that its evidence leaves out.

    python benchmarks/advice_regret.py
    python benchmarks/advice_regret.py --page docs/recommend.md   # write its tables there, too

For each kind of data the advice is made from the shipped evidence without that robot, or without
those faults, and scored by what was measured there: what it loses to the best loss in hindsight,
and what it gains over always taking DPO, SFT or `gated`. Scores are 0 for the worse and 1 for the
better source agent; errors come from resampled agents and data draws. Each reading is made a second
time with published losses alone, for the others were made with MirrorPO on Hopper.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mirrorpo import files
from mirrorpo.objectives.found import shipped
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    from mirrorpo.advising.evidence import Evidence
    from mirrorpo.advising.hindsight import Difference, HindsightCase

AGAINST = ("dpo", "sft", "gated")
OURS = ("gated", "gated-reference", *shipped())
"""Made with MirrorPO on Hopper: to leave Hopper out is no test of these."""

BEGIN, END = "<!-- advice_regret: -->", "<!-- :advice_regret -->"
"""What its tables stand between on a page."""


class Reading(NamedTuple):
    """One way to leave evidence out, as lines of Markdown.

    Attributes:
        head: title and head of the table.
        rows: a row per kind of data.
        means: a row per robot, and one of all.
    """

    head: list[str]
    rows: list[str]
    means: list[str]


def readings() -> list[Reading]:
    """Without that robot, and without those faults; each of all losses, and of published ones."""
    from mirrorpo.advising import evidence_files, hindsight

    evidence = evidence_files.robots()
    return [
        reading(evidence, left_out, without, f"Evidence without {what}, {losses}:")
        for left_out, what in ((hindsight.ROBOT, "that robot"), (hindsight.VARIANT, "those faults"))
        for without, losses in (((), "all losses"), (OURS, "published losses alone"))
    ]


def reading(evidence: Evidence, left_out: str, without: Collection[str], title: str) -> Reading:
    """Advise and score every kind of data."""
    from mirrorpo.advising import hindsight

    against = [name for name in AGAINST if name not in without]
    found = hindsight.cases(evidence, left_out, against, without)
    over = [f"over {name}" for name in against]
    head = ["robot", "data", "advised", "best in hindsight", "lost", *over]
    rules = ["---"] * 4 + ["---:"] * (1 + len(over))
    rows = [
        line(
            one.cell.task,
            f"{one.cell.variant}, {one.cell.pairs} pairs",
            f"{one.advised}: {one.score:.2f}",
            one.best,
            shown([one.lost]),
            *(shown(gains([one], name)) for name in against),
        )
        for one in found
    ]
    robots = dict.fromkeys(one.cell.task for one in found)
    means = [
        mean(name, [one for one in found if one.cell.task == name], against) for name in robots
    ]
    return Reading(
        [title, "", line(*head), line(*rules)], rows, [*means, mean("all", found, against)]
    )


def mean(robot: str, found: Sequence[HindsightCase], against: Sequence[str]) -> str:
    """The row of the mean of some; each column of those that have it."""
    columns = []
    for name in against:
        of = gains(found, name)
        columns.append(f"**{shown(of)}** ({len(of)})")
    lost = f"**{shown([one.lost for one in found])}**"
    return line(f"**{robot}**", f"mean of {len(found)}", "", "", lost, *columns)


def line(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def gains(found: Sequence[HindsightCase], name: str) -> list[Difference]:
    """What was gained over one loss, in the rows where it was measured."""
    return [one.gained[name] for one in found if name in one.gained]


def shown(differences: Sequence[Difference]) -> str:
    """Mean and standard error; a dash for none."""
    from mirrorpo.advising import hindsight

    if not differences:
        return "-"
    found = hindsight.mean(differences)
    return f"{found.value:.2f} ± {found.error:.2f}".replace("-0.00", "0.00")


def on_page(found: Sequence[Reading]) -> str:
    """The tables of a page: the first whole, of the others the means."""
    parts = [
        [*one.head, *(one.rows if place == 0 else []), *one.means]
        for place, one in enumerate(found)
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What following the advice costs.")
    parser.add_argument("--page", type=Path, help="page to write the tables to")
    page = parser.parse_args(arguments).page
    start_jax()
    found = readings()
    print("\n\n".join("\n".join([*one.head, *one.rows, *one.means]) for one in found))
    if page is not None:
        before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            parser.error(f"{page} has no lines {BEGIN} and {END} to write between.")
        files.write_text(page, f"{before}{BEGIN}\n\n{on_page(found)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
