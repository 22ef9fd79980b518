"""Imports run downwards only: the house's floors, as data, against what the modules really import."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).parents[1] / "lmem"

FLOORS = [
    {"errors"},
    {"files", "progress", "config", "score", "paper", "device"},
    {"data"},
    {"bank", "sites", "results", "checkpoint", "summary", "pooling"},
    {"backbone", "write", "read"},
    {"inject", "ledger", "probe", "trace", "cache", "predict", "meta"},
    {"methods", "large", "large_slots"},
    {"model"},
    {
        "train", "rehearse", "text", "controls", "evaluate", "null_rows", "tables", "reading_scores", "pretrain", "bench", "runs", "sweep", "ladder", "record", "rows", "lost", "steps", "collapse", "capacity", "sketch", "plan", "reproduce", "beside",
    },
    {"viz", "talk", "notebook", "settle", "checks"},
    {"cli"},
]  # fmt: skip
WITHIN = {  # on one floor these stand on each other
    "controls": {"text", "train"}, "evaluate": {"controls", "text"}, "null_rows": {"text", "evaluate"}, "runs": {"train", "evaluate"}, "sweep": {"train", "controls", "evaluate", "runs"}, "ladder": {"train", "rehearse", "evaluate", "runs"}, "pretrain": {"reading_scores"}, "lost": {"rehearse", "rows"},
    "write": {"write"}, "read": {"read"}, "data": {"data"}, "viz": {"viz", "talk"}, "checks": {"checks"}, "bench": {"bench", "train", "text", "plan", "sketch", "runs"}, "cli": {"cli"}, "plan": {"bench", "controls", "sketch", "runs", "text"}, "reproduce": {"train", "controls", "evaluate", "runs", "sweep", "beside"}, "large_slots": {"large"},
}  # fmt: skip
LAZY = {"__init__", "cli", "notebook"}  # whole modules that import late, to start fast
LATE = {  # (module, what it imports inside a function): heavy, optional, or circular by nature
    ("settle", "nbval.plugin"),
    ("bank", "lmem.__version__"), ("results", "torch"), ("model", "huggingface_hub"), ("model", "huggingface_hub.errors"),
    ("score", "sklearn.isotonic"), ("score", "nltk.stem.porter"), ("score", "scipy"), ("data", "datasets"), ("large", "faiss"), ("viz", "IPython.display"),
    ("bench", "nbformat"), ("bench", "nbclient"), ("bench", "nbclient.exceptions"),
}  # fmt: skip


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield parts[0], path


def imports(tree):
    """(name, inside a function) of every import; `if TYPE_CHECKING` does not count."""
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            inner |= {id(n) for n in ast.walk(node)}
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            inner |= {id(n) for n in ast.walk(node)}
            for n in ast.walk(node):
                n.skipped = True
    for node in ast.walk(tree):
        if getattr(node, "skipped", False):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inner
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "lmem" or (ROOT.parent / node.module.replace(".", "/")).is_dir():
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", id(node) in inner
            else:
                yield node.module, id(node) in inner


def floor(name):
    for level, names in enumerate(FLOORS):
        if name in names:
            return level
    raise AssertionError(f"{name} stands on no floor")


def test_every_module_has_a_floor_and_imports_downwards():
    for name, path in modules():
        if name in ("__init__", "__main__"):
            continue
        for found, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if not found.startswith("lmem.") or found.startswith("lmem.__"):
                continue
            other = found.split(".")[1]
            below = floor(other) < floor(name)
            assert below or other in WITHIN.get(name, ()), f"{path.name} imports {found}"


def test_late_imports_are_the_listed_ones():
    for name, path in modules():
        if name in LAZY:
            continue
        for found, late in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if late:
                assert (name, found) in LATE, f"{path.name} imports {found} inside a function"


def test_no_circle():
    """Within a floor too: module by module, whoever is imported does not lead back."""
    files = {path.relative_to(ROOT.parent).with_suffix(""): path for _, path in modules()}
    whole = {".".join(name.parts).removesuffix(".__init__"): path for name, path in files.items()}
    needs = {
        name: {
            other
            for found, late in imports(ast.parse(path.read_text(encoding="utf-8")))
            if not late
            and (other := found if found in whole else found.rpartition(".")[0]) in whole
        }
        for name, path in whole.items()
        if name != "lmem"
    }
    assert sum(map(len, needs.values())) > 40
    tuple(graphlib.TopologicalSorter(needs).static_order())  # CycleError names the circle


def test_no_relative_imports():
    for _, path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], (
            path.name
        )
