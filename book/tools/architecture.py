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

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from lmem.viz.colours import BLUE, GREY, ORANGE  # noqa: E402
from lmem.viz.svg import element, text  # noqa: E402

DARK = "#555"
PAGE = ROOT / "book" / "_static" / "architecture.svg"
WAY = (  # (what happens, module, name, column of its stop)
    ("a turn as a value", "data.conversation", "Conversation", 0),
    ("its hidden states", "backbone.backbone", "Backbone", 0),
    ("written into rows", "memory.write.base", "Write", 0),
    ("the bank", "memory.bank", "Bank", 1),
    ("read for a question", "memory.read.base", "Read", 2),
    ("enters the frozen model", "backbone.hooks", "attach", 2),
    ("the answer", "memory.model", "MemoryModel", 3),
    ("its score", "metrics.answer_scores", "f1", 3),
    ("with its controls", "evaluation.evaluate", "evaluate", 4),
    ("a figure", "viz.forgetting_curve", "forgetting_curve", 4),
)
ROW, TOP, BOTTOM = 54, 62, 14  # pixels: a folder, what is above the folders, what is below
NAME, SAYS, STOPS, STOP, WIDTH = 26, 146, 432, 150, 1180  # left edges; a column of stops; all
BOLD, HALO = (
    {"font_weight": "bold"},
    {"stroke": "#fff", "stroke_width": 4, "stroke_opacity": "0.85"},
)
HALO |= {"paint_order": "stroke", "stroke_linejoin": "round"}


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
    while sorter.is_active():  # a level by name, so that the drawing is always the same
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    docstrings = {folder: ast.get_docstring(trees[f"{folder}.__init__"]) or "" for folder in order}
    return [(folder, " ".join(docstrings[folder].split(".\n")[0].split())) for folder in order]


def check(trees: dict[str, ast.Module]) -> None:
    """Stop if a stop of the way is not in the code."""
    for _, module, name, _ in WAY:
        if name not in {getattr(node, "name", "") for node in trees[module].body}:
            path = module.replace(".", "/")
            raise SystemExit(f"expected {name} in lmem/{path}.py, there is none")


def drawing() -> str:
    """Return the drawing as SVG: a line for each folder, with the stops of a turn's way in it."""
    trees = modules()
    check(trees)
    rows, visited = folders(trees), [module.split(".")[0] for _, module, _, _ in WAY]
    height = TOP + ROW * len(rows) + BOTTOM
    middle = {name: height - BOTTOM - ROW * (i + 0.5) for i, (name, _) in enumerate(rows)}
    title = f"A turn passes through {len(set(visited))} of {len(rows)} folders, and each folder imports only from those below it"
    alt = f"{title}. Folders, from the lowest: {', '.join(name for name, _ in rows)}"
    said = "; ".join(f"{what} ({module}.{name})" for what, module, name, _ in WAY)
    parts = [
        element("title", escape(f"{alt}. A turn's way: {said}.")),
        element("rect", width=WIDTH, height=height, rx=10, fill="#fff"),
        text(NAME - 12, 32, title, font_size=18, **BOLD),
    ]
    for name, sentence in rows:
        y, is_visited = middle[name], name in visited
        box = {"x": NAME - 12, "y": y - ROW / 2 + 3, "width": WIDTH - 28, "height": ROW - 6}
        colour = BLUE if is_visited else GREY
        parts.append(element("rect", **box, rx=6, fill=colour, fill_opacity="0.09"))
        parts.append(
            text(NAME, y + 5, name, font_size=15, fill=BLUE if is_visited else DARK, **BOLD)
        )
        words = sentence.split(": ")[-1] if len(sentence) > 90 else sentence
        lines = textwrap.wrap(words.replace("`", ""), 42)
        for k, line in enumerate(lines):
            parts.append(text(SAYS, y + 4 + (k - (len(lines) - 1) / 2) * 15, line, font_size=12))
    stops = [
        (STOPS + STOP * column, middle[folder] - 7)
        for folder, (*_, column) in zip(visited, WAY, strict=True)
    ]
    path = " ".join(f"{'L' if i else 'M'}{x},{y}" for i, (x, y) in enumerate(stops))
    way = {"fill": "none", "stroke": ORANGE, "stroke_width": 2.5, "stroke_linejoin": "round"}
    parts.append(element("path", d=path, **way))
    for i, ((what, module, name, _), (x, y)) in enumerate(zip(WAY, stops, strict=True), 1):
        path_of = module.split(".")[1:]
        code = name if path_of[-1] == name else ".".join([*path_of, name])
        number = {"font_size": 11, "fill": "#fff", "text_anchor": "middle", **BOLD}
        parts += [
            element("circle", cx=x, cy=y, r=10, fill=ORANGE),
            text(x, y + 4, i, **number),
            text(x + 14, y + 4, what, font_size=12, **BOLD, **HALO),
            text(x + 14, y + 20, code, font_size=11, fill=DARK, font_family="monospace", **HALO),
        ]
    look = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "font_size": 13, "fill": "#222"}
    look |= {"xmlns": "http://www.w3.org/2000/svg", "font_family": "system-ui, sans-serif"}
    return element("svg", "\n" + "\n".join(parts) + "\n", **look) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        PAGE.write_text(drawing(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != drawing():
        sys.exit("not what the code says: run `python book/tools/architecture.py write`")
