"""The map of the design space, and one turn step by step: HTML and SVG without a script, so they show in every front end."""

from html import escape
from itertools import pairwise

from lmem.errors import InputError
from lmem.viz.diagram import way
from lmem.viz.plots import numbers

SITES = {  # in the order in which a question meets them
    "encoder_input": ("before the encoder", "rows join its input"),
    "encoder_output": ("between", "rows join its output"),
    "decoder_layer": ("inside the decoder", "beside each attention"),
}
LEFT, CELL, LINE, TOP = (
    134,
    92,
    34,
    200,
)  # of the grid, a column, a row, and the model above: pixels
BLUE, ORANGE = "#0072B2", "#D55E00"


def design_space(grid, sites, pages, files):
    """Every write with every read that fits it, under the three sites of the model where the reads enter.

    grid     of `lmem.memory.methods.grid()`: methods with their write, read and aliases
    sites    {read: its site}
    pages    where a mechanism is explained, files, where its code is: with {kind} (read or write) and {name} to fill in
    returns  an HTML display object with one SVG, whose names are links
    raises   InputError for a read whose site is not one of SITES
    """
    from IPython.display import HTML

    writes = list(dict.fromkeys(method.write for method in grid))
    found = {method.read for method in grid}
    if unknown := [read for read in found if sites.get(read) not in SITES]:
        raise InputError(f"expected a site for every read, {', '.join(unknown)} has none")
    reads = [read for site in SITES for read in sites if sites[read] == site and read in found]
    width, height = LEFT + CELL * len(reads) + 8, TOP + 64 + LINE * len(writes) + 12
    middle = {read: LEFT + CELL * (i + 0.5) for i, read in enumerate(reads)}
    parts = [*_model(reads, sites, middle), *_heads(reads, writes, middle, pages, files)]
    for line, write in enumerate(writes):
        y = TOP + 64 + LINE * (line + 0.5)
        parts.append(_rule(8, y - LINE / 2, width - 8))
        for method in grid:
            if method.write == write:
                parts.append(_cell(method, middle[method.read], y))
    named = ", ".join(f"{m.aliases[0]} is {m.write} with {m.read}" for m in grid if m.aliases)
    alt = (
        f"Map of the design space: {len(writes)} writes by {len(reads)} reads under the three sites of the model, {len(grid)} of the "
        f"pairs fit. Of these {named}."
    )
    style = f"min-width:560px;max-width:{width}px;width:100%"
    return HTML(
        f'<div style="overflow-x:auto"><svg role="group" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" style="{style}" '
        'fill="currentColor" text-anchor="middle" font-family="system-ui, sans-serif" font-size="13">'
        '<defs><marker id="down" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{ORANGE}"/></marker></defs>{"".join(parts)}</svg></div>'
    )


def _model(reads, sites, middle):
    """Encoder and decoder above the grid, and an arrow from each site's reads to where they enter."""
    spans = {site: [middle[read] for read in reads if sites[read] == site] for site in SITES}
    at = {site: sum(some) / len(some) for site, some in spans.items() if some}
    first, last = min(at.values()), max(at.values())
    parts, y = [], 20
    text = [("question", 8 + 45, 90)]
    between = at.get("encoder_output", (first + last) / 2)
    text += [("encoder E", (first + between) / 2 + 20, 100), ("decoder D", last, 120)]
    for name, x, size in text:
        frozen = ' stroke-dasharray="5 4"' if name != "question" else ""
        parts.append(
            f'<rect x="{x - size / 2:g}" y="{y}" width="{size}" height="44" fill="none" stroke="currentColor" stroke-width="1.5" '
            f'rx="8"{frozen}/><text x="{x:g}" y="{y + 27}" font-weight="600">{name}</text>'
        )
    for (_, x, size), (_, other, wide) in pairwise(text):
        parts.append(_rule(x + size / 2, y + 22, other - wide / 2))
    for site, x in at.items():
        said, how = SITES[site]
        end = y + 47 if site == "decoder_layer" else y + 25
        parts.append(
            f'<line x1="{x:g}" y1="{TOP - 78}" x2="{x:g}" y2="{end}" stroke="{ORANGE}" stroke-width="2" marker-end="url(#down)"/>'
            f'<text x="{x:g}" y="{TOP - 60}" font-weight="600">{said}</text>'
            f'<text x="{x:g}" y="{TOP - 43}" font-size="12">{how}</text>'
        )
        low, high = min(spans[site]) - CELL / 2 + 5, max(spans[site]) + CELL / 2 - 5
        parts.append(
            f'<path d="M{low:g} {TOP - 22} V{TOP - 30} H{high:g} V{TOP - 22}" fill="none" stroke="{ORANGE}" stroke-width="2"/>'
        )
    return parts


def _heads(reads, writes, middle, pages, files):
    parts = [
        f'<text x="8" y="{TOP + 22}" text-anchor="start" font-size="12">read →</text>',
        f'<text x="8" y="{TOP + 50}" text-anchor="start" font-size="12">write ↓</text>',
    ]
    for read in reads:
        x, said = middle[read], read.replace("_", " ")
        parts.append(_link(pages, "read", read, x, TOP + 10, said, 'font-weight="600"'))
        parts.append(_link(files, "read", read, x, TOP + 30, "code", 'font-size="12"'))
    for line, write in enumerate(writes):
        y = TOP + 64 + LINE * (line + 0.5) + 4
        parts.append(
            _link(pages, "write", write, 8, y, write, 'font-weight="600" text-anchor="start"')
        )
        parts.append(_link(files, "write", write, LEFT - 26, y, "code", 'font-size="12"'))
    return parts


def _link(target, kind, name, x, y, text, look):
    href = escape(target.format(kind=kind, name=name))
    return f'<a href="{href}"><text x="{x:g}" y="{y:g}" {look} fill="currentColor" text-decoration="underline">{escape(text)}</text></a>'


def _cell(method, x, y):
    """A pair that fits: a ring, or its short name where it has one."""
    name = method.aliases[0] if method.aliases else ""
    hint = f"<title>{escape(method.name)}</title>"
    if name:
        wide = 20 + 7 * len(name)
        return (
            f'<g>{hint}<rect x="{x - wide / 2:g}" y="{y - 12:g}" width="{wide}" height="24" rx="12" fill="{BLUE}"/>'
            f'<text x="{x:g}" y="{y + 5:g}" fill="#fff" font-weight="600">{escape(name)}</text></g>'
        )
    return f'<g>{hint}<circle cx="{x:g}" cy="{y:g}" r="5" fill="none" stroke="currentColor" stroke-width="1.5"/></g>'


def _rule(x, y, other):
    return f'<line x1="{x:g}" y1="{y:g}" x2="{other:g}" y2="{y:g}" stroke="currentColor" stroke-opacity="0.35"/>'


def step_through(steps, name="steps"):
    """One turn step by step: the parts of the drawing that are at work, and the tensor that comes out of them.

    steps    of `lmem.analysis.walkthrough.walk_through`
    name     tells several of them on one page apart
    returns  an HTML display object: radio buttons that need no script, the drawing, and a table of all steps
    """
    from IPython.display import HTML

    buttons, rules, said, box = [], [], [], f".lmem-{name}"
    for i, step in enumerate(steps):
        own, title = f"lmem-{name}-{i}", f"{i + 1}. {escape(step.symbol)}"
        checked = " checked" if i == 0 else ""
        buttons.append(
            f'<span><input type="radio" name="lmem-{name}" id="{own}"{checked}><label for="{own}">{title}</label></span>'
        )
        chosen = f"{box}:has(#{own}:checked)"
        lit = ",".join(f"{chosen} .part-{part}" for part in step.parts)
        rules.append(f"{lit}{{stroke:{ORANGE};stroke-width:4}}{chosen} .{own}{{display:block}}")
        said.append(
            f'<p class="{own}"><strong>{title}</strong>: {escape(step.text)}<br>{escape(_sized(step))}</p>'
        )
    rules.append(f"{box} p{{display:none}}{box} span{{margin-right:1em;white-space:nowrap}}")
    rules.append(f"{box} label{{margin-left:.3em}}")
    table = numbers([_row(i, step) for i, step in enumerate(steps)], "All steps").data
    return HTML(
        f'<div class="lmem-{name}" role="group" aria-label="One turn step by step: {len(steps)} steps">'
        f"<style>{''.join(sorted(rules))}</style><div>{' '.join(buttons)}</div>{''.join(said)}{way(named=True)}</div>{table}"
    )


def _sized(step):
    sizes = " x ".join(map(str, step.shape))
    return f"{step.letters} = {sizes} numbers, Frobenius norm {step.norm:.1f}"


def _row(i, step):
    return {
        "step": i + 1,
        "tensor": step.symbol,
        "axes": step.letters,
        "shape": " x ".join(map(str, step.shape)),
        "norm": f"{step.norm:.1f}",
        "what happened": step.text,
    }
