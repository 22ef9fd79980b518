"""Draw the folders of `lmem` and one turn's way through them, from the code.

    python book/tools/architecture.py write    make book/_static/architecture.svg
    python book/tools/architecture.py check    say whether the drawing is what the code says

Folders are sorted by their imports: each imports only from folders below it. A step of the way names a class or a function; the
drawing fails if the code has no such name.
"""

import ast
import graphlib
import sys
import textwrap
from html import escape
from pathlib import Path

from lmem.viz.svg import element, text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "_static" / "architecture.svg"
WAY = (  # (what happens, module, name)
    ("a turn as a value", "data.conversation", "Conversation"),
    ("its hidden states", "backbone.backbone", "Backbone"),
    ("written into rows", "memory.write.base", "Write"),
    ("the bank", "memory.bank", "Bank"),
    ("read for a question", "memory.read.base", "Read"),
    ("enters the frozen model", "backbone.hooks", "attach"),
    ("the answer", "memory.model", "MemoryModel"),
    ("its score", "metrics.answer_scores", "f1"),
    ("with its controls", "evaluation.evaluate", "evaluate"),
    ("a figure", "viz.forgetting_curve", "forgetting_curve"),
)
ROW, LEFT, RIGHT, TOP = 52, 150, 480, 40
ORANGE = "#c9720f"
BOLD = {"font_size": 15, "font_weight": "bold", "fill": "#17405f"}
SMALL = {"font_size": 12, "fill": "#333"}
BOX = {"fill": "#eef3f8", "stroke": "#9db4c8"}
WIRE = {"fill": "none", "stroke": ORANGE}


def modules() -> dict[str, ast.Module]:
    """Return every module of the package below its folders, parsed."""
    paths = sorted((ROOT / "lmem").glob("*/**/*.py"))
    return {
        ".".join(path.relative_to(ROOT / "lmem").with_suffix("").parts): ast.parse(
            path.read_text("utf-8")
        )
        for path in paths
    }


def folders(trees: dict[str, ast.Module]) -> list[tuple[str, str]]:
    """Return (folder, first sentence of its docstring), the one that imports nothing first."""
    graph: dict[str, set[str]] = {}
    for module, tree in trees.items():
        imports = graph.setdefault(module.split(".")[0], set())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lmem."):
                imports.add((node.module or "").split(".")[1])
    graph = {folder: imports & set(graph) - {folder} for folder, imports in graph.items()}
    order, sorter = [], graphlib.TopologicalSorter(graph)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())  # by name, so that the drawing is always the same
        order += ready
        sorter.done(*ready)
    docstrings = {folder: ast.get_docstring(trees[f"{folder}.__init__"]) or "" for folder in order}
    return [(folder, " ".join(docstrings[folder].split(".\n")[0].split())) for folder in order]


def steps(trees: dict[str, ast.Module]) -> list[tuple[str, str, str]]:
    """Return the way of a turn: (what happens, folder, `module.name`)."""
    for _, module, name in WAY:
        if name not in {getattr(node, "name", "") for node in trees[module].body}:
            raise SystemExit(f"expected {name} in the module {module}, there is none")
    return [(words, module.split(".")[0], f"{module}.{name}") for words, module, name in WAY]


def drawing() -> str:
    """Return the drawing as SVG."""
    trees = modules()
    rows, way = folders(trees), steps(trees)
    height = TOP + ROW * len(rows) + 20
    middle = {name: height - 20 - ROW * i - ROW / 2 for i, (name, _) in enumerate(rows)}
    pitch = (height - TOP - 60) / (len(way) - 1)
    alt = "Folders, each importing only from those below it: " + ", ".join(name for name, _ in rows)
    alt += ". A turn's way: " + "; ".join(f"{words} ({name})" for words, _, name in way) + "."
    parts = [
        element("title", escape(alt)),
        element("rect", width=1000, height=height, rx=10, fill="#fff"),
        text(20, 26, "Folders: each imports only from below", **BOLD),
        text(RIGHT + 120, 26, "One turn's way, from below", **BOLD),
    ]
    for name, sentence in rows:
        y = middle[name]
        words = sentence.split(": ")[-1] if len(sentence) > 90 else sentence
        lines = textwrap.wrap(words.replace("`", ""), 50)
        parts.append(element("rect", x=14, y=y - 22, width=RIGHT, height=44, rx=7, **BOX))
        parts.append(text(26, y + 5, name, **BOLD))
        for k, line in enumerate(lines):
            parts.append(text(LEFT, y + 5 + (k - (len(lines) - 1) / 2) * 14, line, **SMALL))
    x = RIGHT + 132
    for i, (words, folder, name) in enumerate(way):
        y, start = height - 46 - pitch * i, middle[folder]
        curve = f"M{RIGHT + 14},{start} C{RIGHT + 80},{start} {RIGHT + 60},{y} {RIGHT + 120},{y}"
        parts.append(element("path", d=curve, stroke_width=1.5, opacity=0.75, **WIRE))
        if i:
            down = f"M{x},{y + pitch - 12} V{y + 12}"
            parts.append(element("path", d=down, stroke_width=3, **WIRE))
        parts.append(element("circle", cx=x, cy=y, r=12, fill=ORANGE))
        parts.append(text(x, y + 4, i + 1, font_size=12, fill="#fff", text_anchor="middle"))
        parts.append(text(x + 22, y - 2, words, **BOLD))
        parts.append(text(x + 22, y + 14, name, font_family="monospace", **SMALL))
    size = f"0 0 1000 {height}"
    about = {"viewBox": size, "role": "img", "font_family": "sans-serif"}
    return element("svg", "\n".join(parts), xmlns="http://www.w3.org/2000/svg", **about) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        PAGE.write_text(drawing(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != drawing():
        sys.exit(
            f"{PAGE.name} is not what the code says: `python book/tools/architecture.py write`"
        )
