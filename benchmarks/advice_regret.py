"""What following `mirrorpo recommend` costs, on robots and faults that its evidence leaves out.

    python benchmarks/advice_regret.py

For each kind of data the advice is made from the shipped evidence without that robot, or without
those faults, and scored by what was measured there: what it loses to the best loss in hindsight,
and what it gains over always taking DPO, SFT or `gated`. Scores are 0 for the worse and 1 for the
better source agent; errors come from resampled agents and data draws. Each reading is made a second
time with published losses alone, for the others were made with MirrorPO on Hopper.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mirrorpo.objectives.found import shipped
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    from mirrorpo.advising.evidence import Evidence
    from mirrorpo.advising.hindsight import Difference, Trial

AGAINST = ("dpo", "sft", "gated")
OURS = ("gated", *shipped())
"""Made with MirrorPO on Hopper: to leave Hopper out is no test of these."""

HEAD = """
| robot | data | advised | best in hindsight | lost | over DPO | over SFT | over gated |
| --- | --- | --- | --- | ---: | ---: | ---: | ---: |"""


def main() -> None:
    start_jax()
    from mirrorpo.advising import evidence_files, hindsight

    evidence = evidence_files.robots()
    for left_out, what in ((hindsight.ROBOT, "that robot"), (hindsight.VARIANT, "those faults")):
        table(evidence, left_out, (), f"Evidence without {what}, all losses")
        table(evidence, left_out, OURS, f"Evidence without {what}, published losses alone")


def table(evidence: Evidence, left_out: str, without: Collection[str], title: str) -> None:
    """Print one reading: a row per kind of data, then means by robot and over all."""
    from mirrorpo.advising import hindsight

    found = hindsight.trials(evidence, left_out, AGAINST, without)
    print(f"{title}\n{HEAD}")
    for one in found:
        print(
            f"| {one.cell.task} | {one.cell.variant}, {one.cell.pairs} pairs "
            f"| {one.advised}: {one.score:.2f} | {one.best} | {shown([one.lost])} "
            f"| {' | '.join(shown(gains([one], name)) for name in AGAINST)} |"
        )
    for robot in dict.fromkeys(one.cell.task for one in found):
        row(robot, [one for one in found if one.cell.task == robot])
    row("all", found)
    print(flush=True)


def row(robot: str, found: Sequence[Trial]) -> None:
    """Print the mean of some rows; each column of the rows that have it."""
    counts = [len(gains(found, name)) for name in AGAINST]
    columns = " | ".join(
        f"**{shown(gains(found, name))}** ({count})"
        for name, count in zip(AGAINST, counts, strict=True)
    )
    lost = [one.lost for one in found]
    print(f"| **{robot}** | mean of {len(found)} | | | **{shown(lost)}** | {columns} |")


def gains(found: Sequence[Trial], name: str) -> list[Difference]:
    """What was gained over one loss, in the rows where it was measured."""
    return [one.gained[name] for one in found if name in one.gained]


def shown(differences: Sequence[Difference]) -> str:
    """Mean and standard error; a dash for none."""
    from mirrorpo.advising import hindsight

    if not differences:
        return "-"
    found = hindsight.mean(differences)
    return f"{found.value:.2f} ± {found.error:.2f}"


if __name__ == "__main__":
    main()
