"""What a bench compares: an objective by name, from a user's file, or with values given."""

import itertools
from dataclasses import dataclass

from mirrorpo.objectives import Objective, naming, ranges, storage
from mirrorpo.objectives.ranges import Range
from mirrorpo.study import tryout


@dataclass(frozen=True)
class Algorithm:
    """One row of the table.

    Attributes:
        text: as the user named it; the row's label.
        objective: aggregates log-probs by their mean over time, as the whole control bench, unless
            the user gave another aggregation.
        given: names of the hyper-parameters that are not searched: those whose values the user
            gave, and all of a saved objective.
    """

    text: str
    objective: Objective
    given: frozenset[str] = frozenset()

    @property
    def checksum(self) -> str:
        """A checksum of what the text names: a file that it names may change."""
        return storage.checksum(self.objective)

    @property
    def search_grid(self) -> dict[str, tuple[float, ...]]:
        """The objective's search grid without the hyper-parameters that the user gave."""
        grid = self.objective.search_grid
        return {name: values for name, values in grid.items() if name not in self.given}

    @property
    def search_ranges(self) -> dict[str, Range]:
        """The objective's search ranges without the hyper-parameters that the user gave."""
        found = ranges.of(type(self.objective))
        return {name: one for name, one in found.items() if name not in self.given}

    @property
    def grid_points(self) -> list[dict[str, float]]:
        """All combinations of the search grid; one empty point where there is no choice."""
        grid = self.search_grid
        return [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]


def load(text: str, library: tryout.Library = "jax") -> Algorithm:
    """An algorithm from its text, to be trained by `library`.

    ``dpo``, ``dpo[beta=0.3]``, ``ta-mpo[schedule=quadratic]``, ``./my_loss.py:MyLoss`` or
    ``./my_loss.py:MyLoss[scale=2]``. Values that are not given are searched or tuned. A file of
    code is run only if the user typed its name, see `mirrorpo.user_text`.

    Raises:
        ValueError: unknown objective or hyper-parameter, a value that is not a number, one given
            twice, a file that cannot be imported, or code that the user did not name.
    """
    named = naming.parse(text)
    values = {"aggregation": "mean", **named.values}
    objective = naming.resolve(named.name, tryout.by(library), **values)
    own = frozenset(objective.search_grid) if naming.is_saved(named.name) else frozenset()
    # A saved objective brings values for all of its hyper-parameters.
    return Algorithm(str(text), objective, own | frozenset(named.values))
