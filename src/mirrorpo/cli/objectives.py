"""``mirrorpo objectives``: all that can be named, or one in full."""

from __future__ import annotations

import itertools
import json as json_module
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console

if TYPE_CHECKING:
    from mirrorpo.discovery.artefact import Discovery
    from mirrorpo.discovery.listing import ListedObjective
    from mirrorpo.objectives import Objective

_NAME, _EPOCHS, _VALUES, _SOURCE = 21, 4, 24, 25
"""Widths of the columns: 80 with two spaces between them."""


def show(
    objective: Annotated[str | None, tyro.conf.Positional] = None,
    name: str | None = None,
    json: bool = False,
) -> None:
    """List the preference objectives, or show one: hyper-parameters, stages, paper or origin.

    Args:
        objective: the name of one objective, with or without values, or of a discovery that comes
            with MirrorPO.
        name: the same, as an option.
        json: print JSON, for programs.
    """
    if objective is not None:
        if name is not None:
            raise ValueError("--name names an objective a second time: leave it out.")
        name = objective
    from mirrorpo.discovery import artefact, listing
    from mirrorpo.objectives import naming
    from mirrorpo.user_text import UserText

    if name is None:
        entries = mpo.list_objectives()
        if json:
            _print_json([asdict(entry) for entry in entries])
        else:
            _list(entries)
        return
    if name in artefact.shipped():
        found = artefact.load(name)
        if json:
            _print_json(asdict(next(e for e in mpo.list_objectives() if e.name == name)))
        else:
            _show_discovery(name, found)
        return
    made = naming.resolve(UserText(name))
    if json:
        _print_json(asdict(listing.entry(name, made)))
    else:
        _show(name, made)


def _print_json(content: object) -> None:
    console.print(json_module.dumps(content, indent=1))


def _list(entries: Sequence[ListedObjective]) -> None:
    from rich.table import Table

    for kind, group in itertools.groupby(entries, key=lambda entry: entry.kind):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.title, table.title_justify = kind, "left"
        table.add_column(no_wrap=True, width=_NAME)
        table.add_column(no_wrap=True, width=_EPOCHS, justify="right")
        if kind == "discovered":
            table.add_column(no_wrap=True, overflow="ellipsis", width=_VALUES + _SOURCE)
        else:
            table.add_column(no_wrap=True, overflow="ellipsis", width=_VALUES)
            table.add_column(no_wrap=True, overflow="ellipsis", width=_SOURCE)
        for entry in group:
            values = ", ".join(f"{name}={value:g}" for name, value in entry.values.items())
            shown = (entry.source,) if kind == "discovered" else (values, entry.source)
            table.add_row(entry.name, entry.epochs, *shown)
        console.print(table)
        console.print()
    console.print(
        "Name, epochs (10+2: of SFT, then the loss), hyper-parameters, paper or origin.\n"
        "`mirrorpo objectives NAME` shows one in full, `--json` is for programs."
    )


def _show(name: str, objective: Objective) -> None:
    from mirrorpo.discovery import listing
    from mirrorpo.objectives import ranges

    spans = ranges.of(type(objective))
    console.print(f"{name}: {listing.paper_of(objective) or listing.NO_PAPER}")
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
    from mirrorpo.discovery import artefact, listing
    from mirrorpo.objectives import naming

    winner = found.provenance["winner"]
    low, high = found.visited.range
    console.print(f"{name}: found on {listing.origin(found)}")
    if found.objective.memory_size:
        console.print(f"  it is {naming.spelled(found.objective)}")
    if "formula_of" in found.provenance:
        console.print("  a formula in few terms of what the search found, whose score this is:")
    error = winner["standard_error"]
    spread = "" if error is None else f" ± {error:.3f}"
    scale = "0 is the worse source agent's return, 1 the better's"
    if rivals := found.provenance["settings"].get("against"):
        scale = f"{scale}, less the best of {', '.join(rivals)}"
    console.print(
        f"  on validation {winner['score']:.3f}{spread}: {scale}; "
        f"{winner['seeds']} agents on each variant"
    )
    if failures := found.provenance.get("known_failures"):
        console.print(f"  known failures: {failures}")
    console.print(f"  aggregation of log-probs: {found.objective.aggregation}")
    console.print(f"  training visited log-probs from {low:.3g} to {high:.3g}")
    console.print(f"  all about its search: {artefact.find(name).with_suffix('.json')}")
    console.print(f"  pictures and a formula: mirrorpo explain {name}")
