"""Every public method says what it does, itself or by the class that it follows."""

import ast

from tests.runtime.test_rooms import MODULES, tree

OF_LIBRARIES = {
    *("setup", "render"),  # flax, rich
    *("on_log", "on_step_end", "training_step", "prediction_step", "create_scheduler"),
}
"""Methods that a library calls, and documents."""


def methods():
    """(place, method, whether a protocol's property) of all public methods.

    ruff sees to modules, classes and functions, and to what their docstrings hold.
    """
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                of_protocol = any(ast.unparse(base) == "Protocol" for base in node.bases)
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        place = f"{module}.{node.name}.{method.name}"
                        yield place, method, of_protocol and bool(method.decorator_list)


def test_every_public_method_is_documented_where_it_is_first_named():
    found = list(methods())
    documented = {method.name for _, method, _ in found if ast.get_docstring(method)}
    assert len(documented) > 200
    known = documented | OF_LIBRARIES
    assert not [place for place, method, ask in found if not ask and method.name not in known]
