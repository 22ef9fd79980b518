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

DARK = "#555"
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
ROW, TOP, BOTTOM = 54, 62, 14  # pixels: a folder, what is above the folders, what is below
NAME, SAYS, STOPS, STOP, WIDTH = (
    26,
    146,
    432,
    150,
    1180,
)  # left edges: name, sentence, stops; a column of stops; all


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


def columns(way: list[tuple[str, str, str]], heights: dict[str, float]) -> list[int]:
    """Return the column of each stop: the next one where the line to it would run along another stop, or come back to a folder."""
    places: list[int] = []
    for i, (_, folder, _) in enumerate(way):
        column = places[-1] if places else 0
        last = way[i - 1][1] if i else folder
        low, high = sorted((heights[last], heights[folder]))
        here = [way[k][1] for k, place in enumerate(places) if place == column and k < i - 1]
        runs_along = any(low <= heights[name] <= high for name in here)
        back = i > 1 and folder in (last, way[i - 2][1])
        places.append(column + (runs_along or back or (i > 0 and folder == last)))
    return places


def drawing() -> str:
    """Return the drawing as SVG: a line for each folder, with the stops of a turn's way in it."""
    trees = modules()
    rows, way = folders(trees), steps(trees)
    height = TOP + ROW * len(rows) + BOTTOM
    middle = {name: height - BOTTOM - ROW * (i + 0.5) for i, (name, _) in enumerate(rows)}
    stops = [
        (STOPS + STOP * column, middle[folder] - 7)
        for column, (_, folder, _) in zip(columns(way, middle), way, strict=True)
    ]
    visited = len({folder for _, folder, _ in way})
    title = f"A turn passes through {visited} of {len(rows)} folders, and each folder imports only from those below it"
    alt = f"{title}. Folders, from the lowest: {', '.join(name for name, _ in rows)}"
    alt += ". A turn's way: " + "; ".join(f"{text} ({name})" for text, _, name in way) + "."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        f"<title>{escape(alt)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#fff"/>',
        f'<text x="{NAME - 12}" y="32" font-size="18" font-weight="bold">{title}</text>',
    ]
    on_way = {folder for _, folder, _ in way}
    for name, sentence in rows:
        y, is_on = middle[name], name in on_way
        words = sentence.split(": ")[-1] if len(sentence) > 90 else sentence
        lines = textwrap.wrap(words.replace("`", ""), 42)
        parts.append(
            f'<rect x="{NAME - 12}" y="{y - ROW / 2 + 3}" width="{WIDTH - 28}" height="{ROW - 6}" rx="6" fill="{BLUE if is_on else GREY}" fill-opacity="0.09"/>'
        )
        parts.append(
            f'<text x="{NAME}" y="{y + 5}" font-size="15" font-weight="bold" fill="{BLUE if is_on else DARK}">{name}</text>'
        )
        for k, line in enumerate(lines):
            place = y + 4 + (k - (len(lines) - 1) / 2) * 15
            parts.append(f'<text x="{SAYS}" y="{place}" font-size="12">{escape(line)}</text>')
    path = " ".join(f"{'L' if i else 'M'}{x},{y}" for i, (x, y) in enumerate(stops))
    parts.append(
        f'<path d="{path}" fill="none" stroke="{ORANGE}" stroke-width="2.5" stroke-linejoin="round"/>'
    )
    for i, ((text, _, name), (x, y)) in enumerate(zip(way, stops, strict=True), 1):
        *path_of, own = name.split(".")[1:]
        code = own if path_of[-1] == own else ".".join([*path_of, own])
        parts.append(f'<circle cx="{x}" cy="{y}" r="10" fill="{ORANGE}"/>')
        parts.append(
            f'<text x="{x}" y="{y + 4}" font-size="11" font-weight="bold" fill="#fff" text-anchor="middle">{i}</text>'
        )
        halo = 'stroke="#fff" stroke-width="4" stroke-opacity="0.85" paint-order="stroke" stroke-linejoin="round"'
        parts.append(
            f'<text x="{x + 14}" y="{y + 4}" font-size="12" font-weight="bold" {halo}>{escape(text)}</text>'
        )
        parts.append(
            f'<text x="{x + 14}" y="{y + 20}" font-size="11" fill="{DARK}" font-family="monospace" {halo}>{code}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        PAGE.write_text(drawing(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != drawing():
        sys.exit(
            "book/_static/architecture.svg is not what the code says: run `python book/tools/architecture.py write`"
        )
