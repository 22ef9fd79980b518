"""The design space: every write with every read that fits it, below the model's sites where the reads enter (chapter 3)."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from IPython.core.display import HTML

from lmem.errors import InputError
from lmem.memory.methods import Method
from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.svg import drawing, element, line, text

SITES = {  # in the order in which a question meets them
    "encoder_input": ("before the encoder", "rows join its input"),
    "encoder_output": ("between", "rows join its output"),
    "decoder_layer": ("inside the decoder", "at each attention"),
}
LEFT, CELL, LINE, TOP = 134, 92, 34, 200  # pixels: left of the grid, a column, a row, the model
LEAST = 7 * CELL  # of all columns, so that the names of the sites do not meet where there are few
BOLD, FRAME = {"font_weight": 600}, {"fill": "none", "stroke": "currentColor", "stroke_width": 1.5}


def design_space(grid: Sequence[Method], sites: Mapping[str, str], pages: str, files: str) -> HTML:
    """Draw the design space as a grid whose names are links.

    Args:
        grid: Of `lmem.memory.methods.grid()`.
        sites: {read: its site}.
        pages: Where a mechanism is explained, with {kind} ("read" or "write") and {name} to fill in.
        files: Where its code is, likewise.

    Raises:
        InputError: A read's site is not one of SITES.
    """
    writes = list(dict.fromkeys(str(method.write) for method in grid))
    used = {str(method.read) for method in grid}
    if unknown := [read for read in used if sites.get(read) not in SITES]:
        raise InputError(f"expected a site for every read, {', '.join(unknown)} has none")
    reads = [read for site in SITES for read in sites if sites[read] == site and read in used]
    cell = max(CELL, LEAST // max(len(reads), 1))
    width, height = LEFT + cell * len(reads) + 8, TOP + 64 + LINE * len(writes) + 12
    middle = {read: LEFT + cell * (i + 0.5) for i, read in enumerate(reads)}

    def link(target: str, kind: str, name: str, x: float, y: float, label: str, **look) -> str:
        label = text(x, y, label, text_decoration="underline", **look)
        return element("a", label, href=target.format(kind=kind, name=name))

    small, start = {"font_size": 12}, {"text_anchor": "start"}
    columns = {site: [middle[read] for read in reads if sites[read] == site] for site in SITES}
    parts = [*_model(columns, cell)]
    parts.append(text(8, TOP + 22, "read →", **small, **start))
    parts.append(text(8, TOP + 50, "write ↓", **small, **start))
    for read, x in middle.items():
        parts.append(link(pages, "read", read, x, TOP + 10, read.replace("_", " "), **BOLD))
        parts.append(link(files, "read", read, x, TOP + 30, "code", **small))
    for place, write in enumerate(writes):
        y = TOP + 64 + LINE * (place + 0.5)
        parts.append(line(8, y - LINE / 2, width - 8, y - LINE / 2, stroke_opacity=0.35))
        parts.append(link(pages, "write", write, 8, y + 4, write, **BOLD, **start))
        parts.append(link(files, "write", write, LEFT - 26, y + 4, "code", **small))
        parts += [
            _cell(method, middle[str(method.read)], y) for method in grid if method.write == write
        ]
    named = ", ".join(f"{m.aliases[0]} is {m.write} with {m.read}" for m in grid if m.aliases)
    alt = (
        f"Map of the design space: {len(writes)} writes by {len(reads)} reads under the three sites of the model, {len(grid)} of the "
        f"pairs fit. Of these {named}."
    )
    body = element("g", "".join(parts), text_anchor="middle")
    svg = drawing(width, height, alt, [body], role="group", least=560)
    return HTML(f'<div style="overflow-x:auto">{svg}</div>')


def _model(columns: Mapping[str, Sequence[float]], cell: float) -> list[str]:
    """Encoder and decoder above the grid, and an arrow from the columns of each site to where their reads enter."""
    at = {site: sum(xs) / len(xs) for site, xs in columns.items() if xs}
    first, last, y = min(at.values()), max(at.values()), 20
    between = at.get("encoder_output", (first + last) / 2)
    boxes = [("question", 53, 90), ("encoder E", (first + between) / 2 + 20, 100)]
    boxes.append(("decoder D", last, 120))
    tip = element("path", d="M0 0 L8 4 L0 8 z", fill=ORANGE)
    size = {"markerWidth": 8, "markerHeight": 8, "refX": 7, "refY": 4, "viewBox": "0 0 8 8"}
    parts = [element("defs", element("marker", tip, id="down", orient="auto", **size))]
    for name, x, wide in boxes:
        dashes = None if name == "question" else "5 4"  # what is frozen
        place = {"x": x - wide / 2, "y": y, "width": wide, "height": 44, "rx": 8}
        parts.append(element("rect", **place, **FRAME, stroke_dasharray=dashes))
        parts.append(text(x, y + 27, name, **BOLD))
    for (_, x, wide), (_, after, after_wide) in pairwise(boxes):
        parts.append(
            line(x + wide / 2, y + 22, after - after_wide / 2, y + 22, stroke_opacity=0.35)
        )
    orange = {"stroke": ORANGE, "stroke_width": 2}
    for site, x in at.items():
        name, how = SITES[site]
        end = y + 47 if site == "decoder_layer" else y + 25
        low, high = min(columns[site]) - cell / 2 + 5, max(columns[site]) + cell / 2 - 5
        bracket = f"M{low:g} {TOP - 22} V{TOP - 30} H{high:g} V{TOP - 22}"
        parts.append(line(x, TOP - 78, x, end, marker_end="url(#down)", **orange))
        parts.append(text(x, TOP - 60, name, **BOLD))
        parts.append(text(x, TOP - 43, how, font_size=12))
        parts.append(element("path", d=bracket, fill="none", **orange))
    return parts


def _cell(method: Method, x: float, y: float) -> str:
    """A pair that fits: its short name, or a ring if it has none."""
    hint = element("title", escape(method.name))
    if not method.aliases:
        return element("g", hint + element("circle", cx=x, cy=y, r=5, **FRAME))
    name = method.aliases[0]
    wide = 20 + 7 * len(name)
    place = {"x": x - wide / 2, "y": y - 12, "width": wide, "height": 24, "rx": 12}
    label = text(x, y + 5, name, fill="#fff", **BOLD)
    return element("g", hint + element("rect", **place, fill=BLUE) + label)
