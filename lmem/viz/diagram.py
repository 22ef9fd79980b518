"""Drawings of the model as SVG: pure functions, text in the reader's own colour, a name for screen readers."""

from html import escape

_BOX = 'fill="none" stroke="currentColor" stroke-width="1.5" rx="8"'
BOXES = {  # x, y, first line, second line, frozen
    "turn": (10, 20, "turn x_t", "Ana: I adopted ...", False),
    "encoder": (160, 20, "encoder E", "frozen", True),
    "latents": (310, 20, "latents Z_t", "N x D numbers", False),
    "write": (460, 20, "write", "P_t from P_t-1, Z_t", False),
    "bank": (460, 120, "bank P", "R x D numbers", False),
    "read": (460, 220, "read", "at one of 3 sites", False),
    "question": (10, 220, "question", "What is ... ?", False),
    "asked": (160, 220, "encoder E", "frozen", True),
    "decoder": (310, 220, "decoder D", "frozen", True),
    "answer": (310, 320, "answer y", "Miro", False),
}
_ARROWS = [
    (120, 45, 158, 45), (270, 45, 308, 45), (420, 45, 458, 45), (515, 70, 515, 118), (515, 170, 515, 218),
    (460, 245, 422, 245), (120, 245, 158, 245), (270, 245, 308, 245), (365, 270, 365, 318),
]  # fmt: skip


def way_of_a_turn():
    """The way of a turn and of a question: encoder, write, bank, read, three sites, decoder, answer.

    returns  an HTML display object with one SVG
    """
    from IPython.display import HTML

    return HTML(way())


def way(named=False):
    """The SVG of it as text; `named` gives each box the class of its name, "part-bank", so that it can be lit."""
    parts = []
    for name, (x, y, first, second, frozen) in BOXES.items():
        dash = ' stroke-dasharray="5 4"' if frozen else ""
        dash += f' class="part-{name}"' if named else ""
        middle = x + 110 / 2
        parts.append(f'<rect x="{x}" y="{y}" width="110" height="50" {_BOX}{dash}/>')
        parts.append(f'<text x="{middle}" y="{y + 22}" font-weight="600">{escape(first)}</text>')
        parts.append(f'<text x="{middle}" y="{y + 39}" font-size="11">{escape(second)}</text>')
    for x1, y1, x2, y2 in _ARROWS:
        parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor" marker-end="url(#tip)"/>'
        )
    label = (
        "A turn goes through the frozen encoder, its latents are written into the bank; a question goes through the "
        "frozen encoder and decoder, which reads the bank, and gives the answer."
    )
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 580 380" style="max-width:620px;width:100%" '
        'fill="currentColor" text-anchor="middle" font-family="system-ui, sans-serif" font-size="13">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>' + "".join(parts) + "</svg>"
    )
