"""What the live widgets show, as text: banks, curves and lists in SVG and HTML.

The functions are pure, and need neither a front end nor a model. The colours are safe for colour-blind readers. What is
neither blue nor orange is drawn in the reader's own colour.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool1d

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.viz.colours import BLUE, GREEN, ORANGE, PURPLE
from lmem.viz.plots import shorten
from lmem.viz.svg import drawing, element, line, text

ROWS, COLUMNS, SHADES = 64, 16, 5  # cells that are drawn at most; shades of a colour
CELL, HEIGHT, SIDE = 16, 340, 110  # width of a cell, height of the map, width of the bars: pixels
OWN = "currentColor"
LOOKS = ((BLUE, ""), (ORANGE, "7 3"), (GREEN, "2 3"), (PURPLE, "9 3 2 3"), (OWN, "4 4"))
Points = Sequence[tuple[float, float]]


def pooled(bank: Bank, square: bool = False) -> Tensor:
    """Pool one bank to at most (ROWS, COLUMNS) numbers: means over neighbours; root mean squares of a square bank.

    Raises:
        InputError: There is more than one bank.
    """
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    rows = bank.state.rows.detach().float().cpu()  # (1, R, D)
    size = (min(ROWS, rows.shape[1]), min(COLUMNS, rows.shape[2]))
    if square:
        return adaptive_avg_pool2d(rows.square(), size)[0].sqrt()
    return adaptive_avg_pool2d(rows, size)[0]


def row_changes(bank: Bank, before: Bank) -> Tensor:
    """Compute how far the newest turn moved each row, (R,), in Euclidean length; 0 for a row that it did not write."""
    newest = bank.state.written == bank.state.turns[:, None] - 1
    changes = torch.where(newest & (bank.state.written >= 0), bank.diff(before), 0)
    return changes[0].float().cpu()


def bank_map(
    bank: Bank, before: Bank, texts: Mapping[int, str] | Sequence[str] = (), square: bool = False
) -> str:
    """Draw one bank as a map, and next to each row how far the newest turn moved it.

    Args:
        bank: The bank.
        before: The bank before its newest turn.
        texts: The turns' texts, as far as they are known, by number.
        square: Whether it is a bank of associations, (A, A).

    Returns:
        SVG. Its label says the same in a sentence, and a row's title says which turn wrote it last.
    """
    values, changes = pooled(bank, square), row_changes(bank, before)
    count, columns = values.shape
    top = float(values.abs().max()) or 1.0
    step, wide = HEIGHT / count, columns * CELL
    bars = adaptive_max_pool1d(changes[None], count)[0]
    longest = float(bars.max()) or 1.0
    frame = {"fill": "none", "stroke": OWN, "stroke_opacity": 0.5}
    parts = [
        text(0, 14, "bank: one line for a row"),
        text(wide + 12, 14, "moved by"),
        element("rect", x=0.5, y=24.5, width=wide, height=HEIGHT, **frame),
        *_cells(values / top, step),
    ]
    for r, bar in enumerate(bars.tolist()):
        y = 24.5 + r * step
        if bar > 0:
            size = {"width": max(1, SIDE * bar / longest), "height": max(1, step - 1)}
            parts.append(element("rect", x=wide + 12, y=y, **size, fill=ORANGE))
        group = range(r * len(changes) // count, -(-(r + 1) * len(changes) // count))
        hint = element("title", escape(_row_name(bank, group, texts)))
        size = {"width": wide + SIDE + 16, "height": step}
        parts.append(element("rect", hint, x=0, y=y, **size, fill="transparent"))
    scale = f"blue up to {top:.2f}"
    if bool((values < 0).any()):
        scale += f", orange down to -{top:.2f}"
    parts.append(text(0, HEIGHT + 46, scale))
    if bool(bars.any()):
        parts.append(text(wide + 12, HEIGHT + 46, f"up to {longest:.2f}"))
    return drawing(wide + SIDE + 16, HEIGHT + 52, describe(bank, before), parts)


def describe(bank: Bank, before: Bank) -> str:
    """Describe a bank in words: its size, what the newest turn changed, its effective rank."""
    look = bank_metrics.measure_bank(bank)
    if not look["turns"]:
        return f"A bank with {look['rows']} rows, before its first turn."
    changes = row_changes(bank, before)
    return (
        f"A bank with {look['rows']} rows after {look['turns']} turn{'s' * (look['turns'] > 1)}. The newest changed "
        f"{int((changes > 0).sum())} of the rows, by {float(changes.max()):.2f} at most. Effective rank {look['rank']:.1f}."
    )


def line_chart(
    curves: Mapping[str, Points],
    x: str,
    y: str,
    alt: str,
    ends: tuple[float, float] | None = None,
    points: Collection[str] = (),
) -> str:
    """Draw a line chart.

    Args:
        curves: {name: list of (x, y)}, 5 at most; x from 0. A name in brackets is drawn thin.
        x: Name of the x axis with its unit.
        y: Name of the y axis with its unit.
        alt: The text alternative.
        ends: Largest x and y of the axes; default: those of the points.
        points: Names of curves whose points are not joined.

    Returns:
        SVG.

    Raises:
        InputError: There is no point.
    """
    values = [point for curve in curves.values() for point in curve]
    if not values:
        raise InputError("expected at least one point to draw")
    right, top = ends or map(max, zip(*values, strict=True))
    right, low = right or 1, min(0, *(value for _, value in values))
    top = max(top or 1, low + 1) if (top or 1) <= low else top or 1
    left, width, height = 52, 400, 220

    def at(across: float, level: float) -> tuple[float, float]:
        return left + width * across / right, 10 + height * (top - level) / (top - low)

    parts = []
    for tick in ticks(low, top):
        _, level = at(0, tick)
        parts.append(line(left, level, left + width, level, stroke_opacity="0.25"))
        parts.append(text(left - 6, level + 4, f"{tick:.3g}", text_anchor="end"))
    for tick in ticks(0, right):
        across, _ = at(tick, low)
        parts.append(text(across, height + 28, f"{tick:.3g}", text_anchor="middle"))
    for place, ((name, curve), (colour, dash)) in enumerate(
        zip(curves.items(), LOOKS, strict=False)
    ):
        thin, joined = name.startswith("("), name not in points
        colour, stroke = (OWN, 1) if thin else (colour, 2.5)
        look = {"stroke": colour, "stroke_width": stroke, "stroke_dasharray": dash}
        drawn = [at(*point) for point in curve]
        if joined:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in drawn)
            parts.append(element("polyline", points=path, fill="none", **look))
        if not joined or (len(curve) < 40 and not thin):
            dot = {"r": 3 if joined else 4, "fill": colour}
            parts += [element("circle", cx=px, cy=py, **dot) for px, py in drawn]
        level = height + 68 + 20 * place
        parts.append(line(left, level, left + 34, level, **look))
        parts.append(text(left + 42, level + 4, name))
    parts.append(text(left, height + 48, x))
    turn = f"translate(12 {height / 2 + 10:g}) rotate(-90)"
    parts.append(text(0, 0, y, transform=turn, text_anchor="middle"))
    return drawing(left + width + 14, height + 64 + 20 * len(curves), alt, parts)


def transcript(lines: Iterable[tuple[str, str, str]], label: str) -> str:
    """List what was said as HTML: (who, text, note) each."""
    items = []
    for who, words, note in lines:
        note = f" <em>{escape(note)}</em>" if note else ""
        items.append(f"<li><strong>{escape(who)}</strong> {escape(words)}{note}</li>")
    style = "list-style:none;padding:0;margin:0;line-height:1.6"
    return f'<ul aria-label="{escape(label)}" style="{style}">{"".join(items)}</ul>'


def side_by_side(*parts: str) -> str:
    """Put pieces of HTML next to each other, or below each other where there is no room."""
    boxes = "".join(f'<div style="flex:1 1 20em;min-width:0">{part}</div>' for part in parts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{boxes}</div>'


def ticks(low: float, high: float) -> list[float]:
    """Choose a few round numbers from low to high."""
    rough = (high - low) / 4
    size = 10.0 ** np.floor(np.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return [step * i for i in range(int(np.ceil(low / step)), int(high / step + 1e-6) + 1)]


def _cells(values: Tensor, step: float) -> list[str]:
    """One path for each shade, over all of its cells: a map of a thousand cells is a few kilobytes."""
    paths: dict[int, list[str]] = {}
    for r, row in enumerate((SHADES * values).round().int().tolist()):  # -SHADES to SHADES
        for c, shade in enumerate(row):
            cell = f"M{c * CELL} {24.5 + r * step:.1f}h{CELL}v{step:.1f}h-{CELL}"
            paths.setdefault(shade, []).append(cell)
    paths.pop(0, None)
    parts = []
    for shade, cells in sorted(paths.items()):
        colour, opacity = BLUE if shade > 0 else ORANGE, f"{abs(shade) / SHADES:.1f}"
        parts.append(element("path", fill=colour, fill_opacity=opacity, d="".join(cells)))
    return parts


def _row_name(bank: Bank, rows: range, texts: Mapping[int, str] | Sequence[str]) -> str:
    """Which rows a drawn row is, and which turn wrote them last."""
    last = int(bank.state.written[0, rows[0] : rows[-1] + 1].max())
    name = f"row {rows[0] + 1}" if len(rows) == 1 else f"rows {rows[0] + 1} to {rows[-1] + 1}"
    if last < 0:
        return f"{name}: never written"
    known = texts if isinstance(texts, Mapping) else dict(enumerate(texts))
    words = f": {shorten(known[last], 40)}" if last in known else ""
    return f"{name}, written last by turn {last + 1}{words}"
