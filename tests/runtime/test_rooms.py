"""Each folder of the source is a room: imports go down CONTRIBUTING's list, in no circle."""

import ast
import functools
import graphlib
import re
from pathlib import Path

import pytest

import mirrorpo

SOURCE = Path(mirrorpo.__file__).parent
LIST = Path(__file__).parents[2] / "CONTRIBUTING.md"
FLOOR = ""
"""The room of the modules that lie in no folder: all others stand on it."""
FRAMEWORKS = {"jax", "flax", "optax", "torch", "transformers", "brax", "mujoco", "ray"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


MODULES = {name_of(path).removesuffix(".__init__"): path for path in SOURCE.rglob("*.py")}


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


@functools.cache
def rooms() -> list[str]:
    """The folders of CONTRIBUTING's table, from the ground up, as in ``language.models``."""
    text = LIST.read_text("utf-8").partition("## Where code goes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [
        path.strip("/").replace("/", ".") for row in rows for path in re.findall("`(.+?)`", row)
    ]


def room_of_folder(folder: Path) -> str:
    return ".".join(folder.relative_to(SOURCE).parts)


def room_of(module: str) -> str:
    """The smallest listed room that holds a module."""
    inside = module.partition(".")[2]
    holding = (room for room in rooms() if f"{inside}.".startswith(f"{room}."))
    return max(holding, key=len, default=FLOOR)


@functools.cache
def imports(module: str) -> frozenset[str]:
    """What a module imports, at its top or in a function: modules of ours by their whole name."""
    here = module.split(".")
    if MODULES[module].name != "__init__.py":
        here = here[:-1]
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            names = (f"{whole}.{alias.name}" for alias in node.names)
            found |= {name if name in MODULES else whole for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


def test_every_folder_is_in_the_list_of_rooms():
    listed = set(rooms())
    tops = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    assert {room.partition(".")[0] for room in listed} == tops
    assert all((SOURCE / room.replace(".", "/") / "__init__.py").is_file() for room in listed)
    found = {room_of_folder(path.parent) for path in SOURCE.rglob("language/**/__init__.py")}
    assert {room for room in listed if room.startswith("language")} == found


def test_imports_go_down_the_list():
    places = {room: number for number, room in enumerate(rooms())}
    homes = {module: room_of(module) for module in MODULES}
    up = [
        f"{module} imports {found}"
        for module, home in homes.items()
        for found in imports(module) & set(MODULES)
        # The floor's own order is held by the test below; a package opens its own modules.
        if FLOOR not in (home, homes[found]) and not found.startswith(f"{module}.")
        if places[homes[found]] > places[home]
    ]
    assert not up


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: imports(module) & set(MODULES) for module in MODULES}
    # The front door is imported by what stands behind it, for its types and by the command line.
    del graph["mirrorpo"]
    order = tuple(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) >= set(graph)


@pytest.mark.parametrize("room", ["objectives", "preference_texts"])
def test_what_a_loss_and_a_pair_of_texts_are_needs_no_framework(room):
    known = {module: imports(module) for module in MODULES if room_of(module) == room}
    used = {name.partition(".")[0] for names in known.values() for name in names}
    assert len(known) > 9
    assert not used & FRAMEWORKS
