"""The docstring of every public function names the errors that it raises or passes on."""

import ast
import re

from ferutils import paths

MODULES = {
    ".".join(file.relative_to(paths.ROOT).with_suffix("").parts): ast.parse(file.read_text())
    for file in (paths.ROOT / "ferutils").rglob("*.py")
}
FUNCTIONS = {
    f"{module}.{node.name}": node
    for module, tree in MODULES.items()
    for node in tree.body
    if isinstance(node, ast.FunctionDef)
}
IMPORTED = {
    module: {
        one.asname or one.name: f"{node.module}.{one.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }
    for module, tree in MODULES.items()
}
# Helpers, and what a person starts, who reads the error itself.
NOT_ASKED = r"\._|\.cli\.|\.main$"
# Whoever calls these has measured something.
CHECKED_BEFORE = ("ferutils.claims.paper.interval", "ferutils.claims.paper.predicted")
OF_ANY_WRITING = {"OSError"}


def told(function):
    """The errors under Raises in a docstring."""
    section = (ast.get_docstring(function) or "").partition("Raises:\n")[2]
    return set(re.findall(r"[A-Z]\w+", " ".join(re.findall(r"^    (\S.*?):", section, re.M))))


def not_caught(node):
    """The parts of a function that stand in no try with an except, nor in `storage.expecting`."""
    handled = (isinstance(node, ast.Try) and node.handlers) or (
        isinstance(node, ast.With) and "storage.expecting(" in ast.unparse(node.items[0])
    )
    for child in ast.iter_child_nodes(node):
        if not (handled and child in node.body):
            yield child
            yield from not_caught(child)


def called(module, call):
    """The function of the package that is called, if it is one."""
    first, *rest = ast.unparse(getattr(call, "func", call)).split(".")
    name = ".".join([IMPORTED[module].get(first, f"{module}.{first}"), *rest])
    return name if name in FUNCTIONS else None


def raised(name):
    """The errors that a function raises itself or by its helpers, and those that others tell of."""
    module = name.rpartition(".")[0]
    for node in not_caught(FUNCTIONS[name]):
        other = called(module, node) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Raise) and node.exc:
            maker = called(module, node.exc)  # a helper that makes the error
            error = FUNCTIONS[maker].returns if maker else getattr(node.exc, "func", node.exc)
            yield ast.unparse(error).rpartition(".")[2]
        elif other and other not in (name, *CHECKED_BEFORE):
            yield from raised(other) if "._" in other else told(FUNCTIONS[other])


def test_every_public_function_tells_of_its_errors():
    untold = {}
    for name in FUNCTIONS:
        if not re.search(NOT_ASKED, name):
            errors = {one for one in raised(name) if one[0].isupper()} - OF_ANY_WRITING
            untold[name] = errors - told(FUNCTIONS[name])
    assert {name: errors for name, errors in untold.items() if errors} == {}
