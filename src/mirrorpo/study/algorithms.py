"""What a bench compares: an objective by name, from a user's file, or with values given."""

import hashlib
import itertools
import json
from dataclasses import dataclass

from mirrorpo import objectives
from mirrorpo.objectives import Objective
from mirrorpo.study.plugins import is_saved, load_algorithm
from mirrorpo.study.tryout import Library


@dataclass(frozen=True)
class Algorithm:
    """One row of the table.

    Attributes:
        text: as the user named it; the row's label.
        objective: aggregates log-probs by their mean over time, as the whole control bench.
        given: names of the hyper-parameters that are not searched: those whose values the user
            gave, and all of a saved objective.
    """

    text: str
    objective: Objective
    given: frozenset[str] = frozenset()

    @property
    def checksum(self) -> str:
        """Of what the text names: a file that it names may change."""
        # The module of a class in a user's file is named by the file's content.
        content = [type(self.objective).__module__, objectives.to_dict(self.objective)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def search_grid(self) -> dict[str, tuple[float, ...]]:
        """The objective's search grid without the hyper-parameters that the user gave."""
        grid = self.objective.search_grid
        return {name: values for name, values in grid.items() if name not in self.given}

    @property
    def grid_points(self) -> list[dict[str, float]]:
        """All combinations of the search grid; one empty point where there is no choice."""
        grid = self.search_grid
        return [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]


def load(text: str, library: Library = "jax") -> Algorithm:
    """An algorithm from its text, to be trained by `library`.

    ``dpo``, ``dpo[beta=0.3]``, ``ta-mpo[schedule=quadratic]``, ``./my_loss.py:MyLoss`` or
    ``./my_loss.py:MyLoss[scale=2]``. Values that are not given are searched or tuned.

    Raises:
        ValueError: unknown objective or hyper-parameter, a value that is no number, a file that
            cannot be imported.
    """
    name, bracket, inside = text.strip().partition("[")
    if not bracket:
        objective = load_algorithm(name, library, aggregation="mean")
        return Algorithm(text, objective, _own(name, objective))
    if not inside.endswith("]"):
        raise ValueError(f"Algorithm {text!r}: the bracket is not closed, as in dpo[beta=0.3].")
    values = {}
    for item in inside[:-1].split(","):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"Algorithm {text!r}: write name=value, as in dpo[beta=0.3].")
        values[key.strip()] = _number_or_text(value.strip())
    objective = load_algorithm(name, library, aggregation="mean", **values)
    return Algorithm(text, objective, _own(name, objective) | frozenset(values))


def _own(name: str, objective: Objective) -> frozenset[str]:
    """The hyper-parameters that a saved objective brings values for: all; none of others."""
    return frozenset(objective.search_grid) if is_saved(name) else frozenset()


def split_list(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Items of a list that is separated by commas, spaces or both; commas in brackets stay."""
    items: list[str] = []
    for text in texts:
        depth, item = 0, ""
        for character in text:
            depth += (character == "[") - (character == "]")
            if character == "," and depth == 0:
                items.append(item)
                item = ""
            else:
                item += character
        items.append(item)
    return tuple(item.strip() for item in items if item.strip())


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value
