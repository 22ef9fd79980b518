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
    while (
        sorter.is_active()
    ):  # folders of one level by name, so that the drawing is always the same
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    docstrings = {folder: ast.get_docstring(trees[f"{folder}.__init__"]) or "" for folder in order}
    return [(folder, " ".join(docstrings[folder].split(".\n")[0].split())) for folder in order]


def steps(trees: dict[str, ast.Module]) -> list[tuple[str, str, str]]:
    """Return the way of a turn: (what happens, folder, `module.name`)."""
    for _, module, name in WAY:
        if name not in {getattr(node, "name", "") for node in trees[module].body}:
            raise SystemExit(
                f"expected {name} in lmem/{module.replace('.', '/')}.py, there is none"
            )
    return [(text, module.split(".")[0], f"{module}.{name}") for text, module, name in WAY]


def drawing() -> str:
    """Return the drawing as SVG."""
    trees = modules()
    rows, way = folders(trees), steps(trees)
    height = TOP + ROW * len(rows) + 20
    middle = {name: height - 20 - ROW * i - ROW / 2 for i, (name, _) in enumerate(rows)}
    pitch = (height - TOP - 60) / (len(way) - 1)
    alt = "Folders, each importing only from those below it: " + ", ".join(name for name, _ in rows)
    alt += ". A turn's way: " + "; ".join(f"{text} ({name})" for text, _, name in way) + "."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {height}" role="img" font-family="sans-serif">',
        f"<title>{escape(alt)}</title>",
        f'<rect width="1000" height="{height}" rx="10" fill="#fff"/>',
        '<g font-size="15" font-weight="bold" fill="#222"><text x="20" y="26">Folders: each imports only from below</text>',
        f'<text x="{RIGHT + 120}" y="26">One turn\'s way, from below</text></g>',
    ]
    for name, sentence in rows:
        y = middle[name]
        words = sentence.split(": ")[-1] if len(sentence) > 90 else sentence
        lines = textwrap.wrap(words.replace("`", ""), 50)
        parts.append(
            f'<rect x="14" y="{y - 22}" width="{RIGHT}" height="44" rx="7" fill="#eef3f8" stroke="#9db4c8"/>'
        )
        parts.append(
            f'<text x="26" y="{y + 5}" font-size="15" font-weight="bold" fill="#17405f">{name}</text>'
        )
        for k, line in enumerate(lines):
            place = y + 5 + (k - (len(lines) - 1) / 2) * 14
            parts.append(
                f'<text x="{LEFT}" y="{place}" font-size="12" fill="#333">{escape(line)}</text>'
            )
    for i, (text, folder, name) in enumerate(way):
        y = height - 46 - pitch * i
        curve = f"M{RIGHT + 14},{middle[folder]} C{RIGHT + 80},{middle[folder]} {RIGHT + 60},{y} {RIGHT + 120},{y}"
        parts.append(
            f'<path d="{curve}" fill="none" stroke="#c9720f" stroke-width="1.5" opacity="0.75"/>'
        )
        if i:
            parts.append(
                f'<path d="M{RIGHT + 132},{y + pitch - 12} V{y + 12}" stroke="#c9720f" stroke-width="3"/>'
            )
        parts.append(f'<circle cx="{RIGHT + 132}" cy="{y}" r="12" fill="#c9720f"/>')
        parts.append(
            f'<text x="{RIGHT + 132}" y="{y + 4}" font-size="12" fill="#fff" text-anchor="middle">{i + 1}</text>'
        )
        parts.append(
            f'<text x="{RIGHT + 154}" y="{y - 2}" font-size="14" font-weight="bold" fill="#222">{escape(text)}</text>'
        )
        parts.append(
            f'<text x="{RIGHT + 154}" y="{y + 14}" font-size="12" fill="#555" font-family="monospace">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        PAGE.write_text(drawing(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != drawing():
        sys.exit(
            "book/_static/architecture.svg is not what the code says: run `python book/tools/architecture.py write`"
        )
