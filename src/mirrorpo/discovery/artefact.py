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
    objectives.save(discovery.objective, path, notes(discovery))
    low, high = discovery.visited.range
    card = {
        "objective": discovery.objective.name,
        "aggregation": discovery.objective.aggregation,
        "log_prob_range": [low, high],
        "margin_range": list(discovery.visited.margin_range),
        **discovery.provenance,
        "sha256": files.checksum(path),
    }
    files.write_json(path.with_suffix(".json"), files.as_json(card))


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
    beside = path.with_suffix(".json")
    if path.suffix == ".safetensors" and beside.is_file():
        expected = files.read_json(beside, "a discovery's card").get("sha256")
        if expected not in (None, files.checksum(path)):
            raise ValueError(
                f"{path} does not match the checksum on its card {beside}: one of the two was "
                "changed. Restore both from the same source."
            )
    noted = objectives.load_notes(path)
    if "visited" not in noted:
        raise ValueError(f"{path} is an objective, but not a discovery: nothing visited is in it.")
    visited = Visited.from_dict(noted.pop("visited"))
    return Discovery(objectives.load(path), visited, noted)


def shipped() -> tuple[str, ...]:
    """The names of the discoveries that come with the package."""
    return tuple(found.shipped())
