"""A page whose explorer offers few objectives: to measure all of them takes a quarter of a
minute, and tests of the explorer do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FEW = ("cpo", "dpo", "orpo")


@contextmanager
def few_in_the_explorer() -> Iterator[None]:
    """Let pages that are made inside offer `FEW`, and what their runs have besides."""
    from mirrorpo.reporting.page import explorer

    few = [choice for choice in explorer.zoo() if choice.label in FEW]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "zoo", lambda: few)
        yield
