"""Names of a package whose modules are imported when a name is first used."""

import importlib
from collections.abc import Mapping


def attribute(package: str, homes: Mapping[str, str], name: str) -> object:
    """What a package's ``__getattr__`` returns.

    Args:
        package: the name of the package.
        homes: the module of each name, inside the package.
        name: the name that was asked for.

    Raises:
        AttributeError: none of the package's names.
    """
    if name in homes:
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
