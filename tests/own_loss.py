"""A loss in a user's file, for tests that change the file."""

_CODE = """
from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective


@dataclass(frozen=True, kw_only=True)
class Mine(Objective):
    name: ClassVar[str] = "NAME"

    def loss(self, batch, progress):
        return -batch.chosen
"""


def code(name: str) -> str:
    """The file's text; no two objectives of a process have one name."""
    return _CODE.replace("NAME", name)
