"""Names of tasks: MirrorPO's own, those of a library, and functions in a file of the user's."""

import re
from enum import Enum

_FILE = re.compile(r"(?P<path>.+\.py):(?P<function>\w*)", re.DOTALL)


class Origin(Enum):
    """Where a task's name leads."""

    OWN = "MirrorPO"
    GYM = "gym"
    PLAYGROUND = "playground"
    FILE = "file"


def origin(name: str) -> Origin:
    """Where a task's name leads.

    The name is ``gym:ID``, ``playground:NAME``, ``FILE.py:FUNCTION``, or any other for a task of
    MirrorPO's own.
    """
    for library in (Origin.GYM, Origin.PLAYGROUND):
        if name.startswith(f"{library.value}:"):
            return library
    return Origin.FILE if names_function(name) else Origin.OWN


def names_function(text: str) -> bool:
    """Whether a text has the form ``FILE.py:FUNCTION``."""
    return _FILE.fullmatch(text) is not None
