"""What the live widgets show, as text: banks, curves and lists in SVG and HTML. Pure functions; no front end, no model.

Colours are safe for colour-blind readers, and what is neither blue nor orange is drawn in the reader's own colour.
"""

from html import escape

import torch
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool1d

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.viz.plots import short

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "currentColor"
ROWS, COLUMNS, LEVELS = 64, 16, 5  # that are drawn at most; shades of a colour
CELL, HIGH, SIDE = 16, 340, 110  # width of a cell, height of the map, width of the bars: pixels
SVG = 'role="img" fill="currentColor" font-family="system-ui, sans-serif" font-size="13"'


def pooled(bank, square=False):
    """One bank as (rows, columns) numbers: means over neighbours; root mean squares of a square bank.

    raises  InputError for more than one bank
    """
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    rows = bank.state.rows.detach().float().cpu()  # (1, R, D)
    size = (min(ROWS, rows.shape[1]), min(COLUMNS, rows.shape[2]))
    if square:
        return adaptive_avg_pool2d(rows.square(), size)[0].sqrt()
    return adaptive_avg_pool2d(rows, size)[0]


def moved(bank, before):
    """(R,) how far the newest turn moved each row, in Euclidean length; 0 for a row that it left alone."""
    newest = bank.state.written == bank.state.turns[:, None] - 1
    return torch.where(newest & (bank.state.written >= 0), bank.diff(before), 0)[0].float().cpu()


def heat(bank, before, texts=(), square=False):
    """The bank as a map, and beside each row how far the newest turn moved it.

    bank    Bank, one
    before  the bank before its newest turn
    texts   the turns' texts, as far as they are known, by number: {0: "Ana: ..."} or a list
    square  whether it is a bank of associations, (A, A)
    returns SVG; its label says the same in a sentence, a row's title says who wrote it last
    """
    values, far = pooled(bank, square), moved(bank, before)
    count, columns = values.shape
    top = float(values.abs().max()) or 1.0
    step = HIGH / count
    width, height = columns * CELL + SIDE + 16, HIGH + 52
    bars = adaptive_max_pool1d(far[None], count)[0]
    longest = float(bars.max()) or 1.0
    parts = [
        '<text x="0" y="14">bank: one line for a row</text>',
        f'<text x="{columns * CELL + 12}" y="14">moved by</text>',
        f'<rect x="0.5" y="24.5" width="{columns * CELL}" height="{HIGH}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>',
        *_cells(values / top, step),
    ]
    for r, bar in enumerate(bars.tolist()):
        y = 24.5 + r * step
        if bar > 0:
            parts.append(
                f'<rect x="{columns * CELL + 12}" y="{y:.1f}" width="{max(1, SIDE * bar / longest):.1f}" '
                f'height="{max(1, step - 1):.1f}" fill="{ORANGE}"/>'
            )
        said = _row(bank, range(r * len(far) // count, -(-(r + 1) * len(far) // count)), texts)
        parts.append(
            f'<rect x="0" y="{y:.1f}" width="{width}" height="{step:.1f}" fill="transparent"><title>{escape(said)}</title></rect>'
        )
    low = "0" if bool((values >= 0).all()) else f"-{top:.2f}"
    ends = f"blue up to {top:.2f}" if low == "0" else f"blue up to {top:.2f}, orange down to {low}"
    parts.append(f'<text x="0" y="{HIGH + 46}">{ends}</text>')
    parts.append(f'<text x="{columns * CELL + 12}" y="{HIGH + 46}">up to {longest:.2f}</text>')
    if not bool(bars.any()):
        parts.pop()
    return _svg(width, height, spoken(bank, before), parts)


def spoken(bank, before):
    """The bank in one sentence."""
    found = bank_metrics.measure_bank(bank)
    if not found["turns"]:
        return f"A bank with {found['rows']} rows, before its first turn."
    far = moved(bank, before)
    return (
        f"A bank with {found['rows']} rows after {found['turns']} turn{'s' * (found['turns'] > 1)}. The newest changed "
        f"{int((far > 0).sum())} of the rows, by {float(far.max()):.2f} at most. Effective rank {found['rank']:.1f}."
    )


def lines(curves, x, y, alt, tops=None, loose=()):
    """A line chart.

    curves  {name: list of (x, y)}, 5 at most; x from 0; a name in brackets is drawn thin
    x, y    names of the axes with their units
    tops    (largest x, largest y) of the axes; default: of the points
    loose   names of curves whose points are not joined
    returns SVG
    raises  InputError without a point
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        raise InputError("expected at least one point to draw")
    right, top = tops or (max(p[0] for p in points), max(p[1] for p in points))
    right, top, low = right or 1, top or 1, min(0, *(p[1] for p in points))
    top = top if top > low else low + 1
    left, width, height = 52, 400, 220

    def at(point):
        return left + width * point[0] / right, 10 + height * (top - point[1]) / (top - low)

    parts = []
    for tick in _ticks(low, top):
        _, level = at((0, tick))
        parts.append(_line(left, level, left + width, level, 'stroke-opacity="0.25"'))
        parts.append(
            f'<text x="{left - 6}" y="{level + 4:.1f}" text-anchor="end">{tick:.3g}</text>'
        )
    for tick in _ticks(0, right):
        across, _ = at((tick, low))
        parts.append(
            f'<text x="{across:.1f}" y="{height + 28}" text-anchor="middle">{tick:.3g}</text>'
        )
    looks = ((BLUE, ""), (ORANGE, "7 3"), ("#009E73", "2 3"), ("#CC79A7", "9 3 2 3"), (GREY, "4 4"))
    for place, ((name, curve), (colour, dash)) in enumerate(
        zip(curves.items(), looks, strict=False)
    ):
        thin = name.startswith("(")
        colour = GREY if thin else colour
        drawn = " ".join(f"{px:.1f},{py:.1f}" for px, py in map(at, curve))
        look = f'stroke="{colour}" stroke-width="{1 if thin else 2.5}" stroke-dasharray="{dash}"'
        if name not in loose:
            parts.append(f'<polyline points="{drawn}" fill="none" {look}/>')
        if name in loose or (len(curve) < 40 and not thin):
            parts += [
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{4 if name in loose else 3}" fill="{colour}"/>'
                for px, py in map(at, curve)
            ]
        level = height + 68 + 20 * place
        parts.append(f'<line x1="{left}" y1="{level}" x2="{left + 34}" y2="{level}" {look}/>')
        parts.append(f'<text x="{left + 42}" y="{level + 4}">{escape(name)}</text>')
    parts.append(f'<text x="{left}" y="{height + 48}">{escape(x)}</text>')
    parts.append(
        f'<text transform="translate(12 {height / 2 + 10:.0f}) rotate(-90)" text-anchor="middle">{escape(y)}</text>'
    )
    return _svg(left + width + 14, height + 64 + 20 * len(curves), alt, parts)


def table(rows, caption):
    """Rows of {column: value}, all of the same columns, as an HTML table."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    return (
        f'<table><caption style="text-align:left;caption-side:top">{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def log(lines, label):
    """What was said, as a list; each line a (who, text, note)."""
    items = "".join(
        f"<li><strong>{escape(who)}</strong> {escape(text)}{f' <em>{escape(note)}</em>' if note else ''}</li>"
        for who, text, note in lines
    )
    return f'<ul aria-label="{escape(label)}" style="list-style:none;padding:0;margin:0;line-height:1.6">{items}</ul>'


def beside(*parts):
    """Pieces of HTML next to each other, below each other where there is no room."""
    boxes = "".join(f'<div style="flex:1 1 20em;min-width:0">{part}</div>' for part in parts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{boxes}</div>'


def _cells(values, step):
    """One path for each shade, over all of its cells: a map of a thousand cells is a few kilobytes."""
    levels = (LEVELS * values).round().int().tolist()  # -LEVELS to LEVELS
    places = {}
    for r, row in enumerate(levels):
        for c, level in enumerate(row):
            if level:
                places.setdefault(level, []).append(
                    f"M{c * CELL} {24.5 + r * step:.1f}h{CELL}v{step:.1f}h-{CELL}"
                )
    for level, found in sorted(places.items()):
        colour = BLUE if level > 0 else ORANGE
        yield f'<path fill="{colour}" fill-opacity="{abs(level) / LEVELS:.1f}" d="{"".join(found)}"/>'


def _row(bank, rows, texts):
    """What a drawn row stands for, and who wrote it last."""
    last = int(bank.state.written[0, rows[0] : rows[-1] + 1].max())
    name = f"row {rows[0] + 1}" if len(rows) == 1 else f"rows {rows[0] + 1} to {rows[-1] + 1}"
    if last < 0:
        return f"{name}: never written"
    known = dict(enumerate(texts)) if not isinstance(texts, dict) else texts
    text = f": {short(known[last], 40)}" if last in known else ""
    return f"{name}, written last by turn {last + 1}{text}"


def _ticks(low, high):
    """A few round numbers from low to high."""
    rough = (high - low) / 4
    size = 10 ** torch.tensor(rough).log10().floor().item()
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first = -int(-low / step)
    return [step * i for i in range(first, int(high / step + 1e-6) + 1)]


def _line(x1, y1, x2, y2, look):
    return (
        f'<line x1="{x1:g}" y1="{y1:.1f}" x2="{x2:g}" y2="{y2:.1f}" stroke="currentColor" {look}/>'
    )


def _svg(width, height, alt, parts):
    return (
        f'<svg {SVG} aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="width:100%;max-width:{width}px;height:auto">{"".join(parts)}</svg>'
    )
