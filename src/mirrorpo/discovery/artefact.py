"""A discovered objective as one file: what it is, where it holds, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files, objectives
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import Objective, found
from mirrorpo.objectives.found import find as find


@dataclass(frozen=True)
class Discovery:
    """A discovered objective.

    Attributes:
        objective: ready to train; its aggregation is a field of it.
        visited: what training with it saw.
        provenance: task, variants, settings, versions, validation and cost.
    """

    objective: Objective
    visited: Visited
    provenance: Mapping[str, Any]


def save(path: Path | str, discovery: Discovery) -> None:
    """Write the objective with its notes, and beside it a readable card with the checksum.

    `mirrorpo.objectives.load` reads the file too, and gives the objective alone.
    """
    path = Path(path).with_suffix(".safetensors")
    files.write_with_card(
        path,
        lambda to: objectives.save(discovery.objective, to, notes(discovery)),
        _card(discovery),
    )


def complete(path: Path, discovery: Discovery) -> None:
    """Write the card of a saved discovery where a kill came between the file and it."""
    if not path.with_suffix(".json").is_file():
        files.write_with_card(path, lambda to: None, _card(discovery))


def generations(discovery: Discovery) -> Any:
    """How long the search was that found it; None where its provenance does not say."""
    settings = discovery.provenance.get("settings")
    return settings.get("generations") if isinstance(settings, Mapping) else None


def _card(discovery: Discovery) -> dict[str, Any]:
    low, high = discovery.visited.range
    card = {
        "objective": discovery.objective.name,
        "aggregation": discovery.objective.aggregation,
        "log_prob_range": [low, high],
        "margin_range": list(discovery.visited.margin_range),
        **discovery.provenance,
    }
    found: dict[str, Any] = files.as_json(card)
    return found


def notes(discovery: Discovery) -> dict[str, Any]:
    """What a saved objective says about itself, to be a discovery that `load` reads."""
    return {**discovery.provenance, "visited": discovery.visited.to_dict()}


def load(name_or_path: Path | str) -> Discovery:
    """A shipped discovery by name, or any by its file.

    Raises:
        ValueError: no such discovery; a truncated, foreign or changed file; an objective that was
            saved without what training visited.
    """
    path = find(name_or_path)
    noted = objectives.load_notes(path)
    if "visited" not in noted:
        raise ValueError(f"{path} is an objective, but not a discovery: nothing visited is in it.")
    objective = objectives.load(path)
    try:
        visited = Visited.from_dict(noted.pop("visited"))
    except ValueError as error:
        raise ValueError(f"{path} is not a discovery: {error}") from None
    return Discovery(objective, visited, noted)


def shipped() -> tuple[str, ...]:
    """The names of the discoveries that come with the package."""
    return tuple(found.shipped())
