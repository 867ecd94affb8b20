"""Every public method says what it does, itself or by the class that it follows."""

import ast
import functools
import re

from tests.runtime.test_rooms import MODULES, tree

OF_LIBRARIES = {"training_step", "prediction_step", "create_scheduler"}
"""Methods of TRL's trainer, which calls and documents them."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def classes():
    """All classes by their names. No two share one (test_names.py)."""
    nodes = (node for module in MODULES for node in ast.walk(tree(module)))
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def followed(node):
    """The classes of the package that a class inherits from, or that its docstring says it is."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    said = re.findall(r"`([\w.]+)`", ast.get_docstring(node) or "")
    names = {name.rpartition(".")[2] for name in [*map(ast.unparse, bases), *said]}
    return [classes()[name] for name in names - {node.name} if name in classes()]


def documents(node, method, seen=()):
    """Whether a class, or one that it follows, says what a method does."""
    for own in node.body:
        if isinstance(own, FUNCTIONS) and own.name == method and ast.get_docstring(own):
            return True
        if isinstance(own, ast.AnnAssign) and ast.unparse(own.target) == method:
            return True  # a field, which the class's docstring explains
    return any(
        documents(other, method, (*seen, node.name))
        for other in followed(node)
        if other.name not in seen
    )


def test_every_public_method_is_documented_in_its_class_or_in_one_that_it_follows():
    """ruff sees to modules, classes and functions, and to what their docstrings hold."""
    methods = [
        (node, method.name)
        for name, node in classes().items()
        if not name.startswith("_")
        for method in node.body
        if isinstance(method, FUNCTIONS)
        and (method.name == "__call__" or not method.name.startswith("_"))
    ]
    assert len(methods) > 600
    missing = [
        f"{node.name}.{name}"
        for node, name in methods
        if name not in OF_LIBRARIES and not documents(node, name)
    ]
    assert not missing
