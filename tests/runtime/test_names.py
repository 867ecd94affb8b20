"""One name stands for one thing in the whole package."""

import ast
import collections
import re

from tests.runtime.test_rooms import MODULES, tree

NAME_OF_A_TYPE = re.compile(r"[A-Z]\w*[a-z]\w*")


def named_types(module):
    """Public classes of a module, and other names that it gives to types at its top."""
    for node in tree(module).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value and not is_variable(node):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def is_variable(node):
    """Whether a name is a type variable, which stands for nothing outside its function."""
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar"


def test_no_two_types_share_a_name():
    homes = collections.defaultdict(list)
    for module in MODULES:
        for name in named_types(module):
            if NAME_OF_A_TYPE.fullmatch(name):
                homes[name].append(module)
    assert len(homes) > 400
    assert not {name: found for name, found in homes.items() if len(found) > 1}
