"""Every name that a notebook takes from the package is there: read from the sources, nothing is run."""

import ast
import re
from functools import cache

from chapters import ROOT, code, each_notebook, read, source


@cache
def names_of(module):
    """What a module of lmem defines or imports, and its submodules; None if there is no such module."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body = []  # what is inside is not the module's
    found = {inner.stem for inner in path.iterdir()} if path.is_dir() else set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name for alias in names}
    return found


def missing(text):
    """Names of lmem that code imports, or asks a module for that it imported, and that are not there."""
    tree, modules = ast.parse(text), {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in (one for one in names if one.name.split(".")[0] == "lmem"):
                    modules[alias.asname or "lmem"] = alias.name if alias.asname else "lmem"
                    if names_of(alias.name) is None:
                        yield alias.name
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "lmem":
                for alias in names:
                    if alias.name not in (names_of(module) or ()):
                        yield f"{module}.{alias.name}"
                    elif names_of(f"{module}.{alias.name}") is not None:
                        modules[alias.asname or alias.name] = f"{module}.{alias.name}"
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                modules.pop(name, None)  # a variable now
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=wanted) if name in modules:
                if wanted not in names_of(modules[name]):
                    yield f"{modules[name]}.{wanted}"


@each_notebook
def test_every_name_of_the_package_is_there(path):
    text = "\n".join(source(cell) for cell in code(read(path)))
    assert list(missing(re.sub(r"^( *)[%!].*", r"\1pass", text, flags=re.M))) == []


def test_a_name_that_is_not_there_is_seen():
    text = """\
import lmem, lmem.nowhere
from lmem.analysis import retrieval, rows
from lmem.analysis.retrieval import recall_shares, shares, states
from lmem.chat import session, terminal
lmem.MemoryModel, lmem.Nothing, retrieval.recall_scores, retrieval.scores, session.gone
session = 1
"""
    assert list(missing(text)) == [
        "lmem.nowhere",
        "lmem.analysis.rows",
        "lmem.analysis.retrieval.shares",
        "lmem.analysis.retrieval.states",
        "lmem.Nothing",
        "lmem.analysis.retrieval.scores",
    ]
