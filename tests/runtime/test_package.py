"""What an installed wheel needs is declared: its data files, its folders, what it imports."""

import itertools
import re
import sys
import tomllib
from pathlib import Path

from tests.runtime.test_rooms import MODULES, SOURCE, imports

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
DISTRIBUTIONS = {
    "PIL": "pillow",
    "mujoco_playground": "playground",
    "sklearn": "scikit-learn",
    "tensorboardX": "tensorboardx",
}
"""Packages that are imported by another name than they are installed by."""
OF_TYPES = "_typeshed"
"""What only a type checker imports."""


def test_every_file_beside_the_code_is_package_data():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["mirrorpo"]
    shipped = {path for pattern in patterns for path in SOURCE.glob(pattern)}
    beside = {
        path
        for path in SOURCE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name[0] != "."
    }
    kinds = {path.relative_to(SOURCE).parts[:2] for path in beside}
    assert {("assets", kind) for kind in ("agents", "bench", "objectives", "page")} <= kinds
    assert not beside - shipped


def test_every_folder_of_code_is_a_package():
    assert all((path.parent / "__init__.py").is_file() for path in MODULES.values())


def test_every_package_that_is_imported_is_a_declared_dependency():
    project = PROJECT["project"]
    needs = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    declared = {re.match(r"[\w.-]+", need)[0].lower() for need in needs}
    first = {name.partition(".")[0] for module in MODULES for name in imports(module)}
    others = first - set(sys.stdlib_module_names) - {"mirrorpo", OF_TYPES, ""}
    named = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in others}
    assert len(named) > 25
    assert not named - declared
