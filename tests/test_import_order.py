"""Folders of `lmem` import in one direction, modules without a cycle, and heavy things late in two places only."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).parents[1] / "lmem"
ORDER = [
    "errors",
    "utils",
    "data",
    "metrics",
    "backbone",
    "memory",
    "training",
    "evaluation",
    "analysis",
    "experiments",
    "chat",
    "viz",
    "exercises",
    "bench",
    "notebook",
    "cli",
]
TREES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    ): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(tree):
    """Modules of lmem that a module imports when it is run; `if TYPE_CHECKING` does not count."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in TREES else node.module


def folder(module):
    """`lmem.memory.write.base` -> "memory"."""
    return module.split(".")[1] if "." in module else module


def test_folders_import_in_one_direction():
    wrong = [
        f"{module} imports {imported}"
        for module, tree in TREES.items()
        for imported in imports(tree)
        if imported in TREES and folder(module) in ORDER and folder(imported) in ORDER
        if ORDER.index(folder(imported)) > ORDER.index(folder(module))
    ]
    assert not wrong


def test_every_folder_has_its_place_and_says_what_it_holds():
    top = {path.stem for path in ROOT.iterdir() if path.suffix == ".py"} - {"__init__", "__main__"}
    assert top == {"errors", "notebook"}
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert folders | top == set(ORDER)
    for name in folders:
        text = ast.get_docstring(TREES[f"lmem.{name}"])
        assert text, name
        assert text.count(". ") + text.count(".\n") >= 2, (
            f"{name} says what it holds in three sentences"
        )


def test_no_cycle():
    graph = {m: {i for i in imports(t) if i in TREES and i != m} for m, t in TREES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_nothing_is_imported_inside_a_function():
    late = [
        f"{module}:{node.lineno}"
        for module, tree in TREES.items()
        if module != "lmem" and folder(module) != "cli"
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late
