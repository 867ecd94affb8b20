"""``mirrorpo objectives``: the zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorpo.cli.console import console

if TYPE_CHECKING:
    from mirrorpo.discovery.artefact import Discovery
    from mirrorpo.objectives import Objective


def show(name: str | None = None) -> None:
    """List the preference objectives, or show one: hyper-parameters, stages, paper or origin.

    Args:
        name: of one objective, or of a discovery that comes with MirrorPO.
    """
    from mirrorpo import objectives
    from mirrorpo.discovery import artefact

    if name is None:
        _list()
    elif name in artefact.shipped():
        _show_discovery(name, artefact.load(name))
    else:
        _show(name, objectives.get(name))


def _list() -> None:
    from dataclasses import fields

    from rich.table import Table

    from mirrorpo import objectives
    from mirrorpo.discovery import artefact

    table = Table("objective", "hyper-parameters", "stages (epochs)", "paper, or found on")
    for name in objectives.available():
        objective = objectives.get(name)
        values = ", ".join(
            f"{field.name}={getattr(objective, field.name)}"
            for field in fields(objective)
            if isinstance(getattr(objective, field.name), (int, float))
        )
        paper = f"{objective.paper.authors} {objective.paper.year}"
        table.add_row(name, values, _stages(objective), paper)
    table.add_section()
    for name in artefact.shipped():
        found = artefact.load(name)
        table.add_row(name, "none: discovered", _stages(found.objective), _origin(found))
    console.print(table)


def _show(name: str, objective: Objective) -> None:
    from dataclasses import fields

    from mirrorpo.objectives import ranges

    spans = ranges.of(type(objective))
    console.print(f"{name}: {objective.paper}")
    for field in fields(objective):
        grid = objective.search_grid.get(field.name)
        tried = f"   (grid: {', '.join(f'{v:g}' for v in grid)})" if grid else ""
        if span := spans.get(field.name):
            tried += f" (trials: {span.low:g} to {span.high:g}, first {span.start:g})"
        console.print(f"  {field.name} = {getattr(objective, field.name)}{tried}")
    if spans:
        console.print(f"  SFT limit of the trials' ranges: {ranges.sft_limit(spans)}")
    console.print(f"  stages: {objective.stages}   needs a reference: {objective.needs_reference}")


def _show_discovery(name: str, found: Discovery) -> None:
    from mirrorpo.discovery import artefact

    winner = found.provenance["winner"]
    low, high = found.visited.range
    console.print(f"{name}: found on {_origin(found)}")
    if "formula_of" in found.provenance:
        console.print("  a formula in few terms of what the search found, whose score this is:")
    error = winner["standard_error"]
    spread = "" if error is None else f" ± {error:.3f}"
    console.print(
        f"  on validation {winner['score']:.3f}{spread}: 0 is the worse "
        f"source agent's return, 1 the better's; {winner['seeds']} agents on each variant"
    )
    console.print(f"  aggregation of log-probs: {found.objective.aggregation}")
    console.print(f"  training visited log-probs from {low:.3g} to {high:.3g}")
    console.print(f"  all about its search: {artefact.find(name).with_suffix('.json')}")
    console.print(f"  pictures and a formula: mirrorpo explain {name}")


def _stages(objective: Objective) -> str:
    return " → ".join(f"{stage} {epochs}" for stage, epochs in objective.stages)


def _origin(found: Discovery) -> str:
    settings = found.provenance["settings"]
    return f"{settings['task']}: {', '.join(settings['variants'])}"
