"""One layer of the decoder with a branch beside its cross-attention, drawn as SVG (chapter 5)."""

from lmem.errors import InputError

KINDS = {
    "branch": ("× β of this layer", "one number, starts at 0", "scaled by one number of the layer"),
    "gated_branch": ("× gate g(s, c)", "D numbers in (0, 1)", "weighed by a gate that looks at both"),
}  # fmt: skip
_LINES = [  # x1, y1, x2, y2, with a tip
    (300, 20, 300, 48, True), (300, 98, 300, 128, True), (300, 178, 300, 188, False),
    (88, 188, 512, 188, False), (88, 188, 88, 218, True), (512, 188, 512, 218, True),
    (512, 268, 512, 288, True), (88, 268, 88, 363, False), (88, 363, 286, 363, True),
    (512, 338, 512, 363, False), (512, 363, 314, 363, True), (300, 377, 300, 408, True), (300, 458, 300, 488, True),
    (300, 110, 192, 110, False), (192, 110, 192, 330, False), (192, 330, 288, 356, True),
]  # fmt: skip


def decoder_layer(kind="branch"):
    """The way of the states through one layer: self-attention, two cross-attentions side by side, their sum, feed-forward.

    kind     "branch" (M.2) or "gated_branch" (M.5)
    returns  an HTML display object with one SVG
    raises   InputError for another read
    """
    from IPython.display import HTML

    if kind not in KINDS:
        raise InputError(f"expected a read out of {', '.join(KINDS)}, not {kind!r}")
    first, second, spoken = KINDS[kind]
    boxes = [  # x, y, width, first line, second line, frozen
        (205, 48, 190, "self-attention", "over the answer so far", True),
        (205, 128, 190, "layer norm", "its output is s", True),
        (2, 218, 172, "cross-attention", "over the question, Z", True),
        (426, 218, 172, "the branch", "over the bank's rows P", False),
        (426, 288, 172, first, second, False),
        (205, 408, 190, "feed-forward", "", True),
    ]
    parts = [
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor"'
        + (' marker-end="url(#layer-tip)"/>' if tip else "/>")
        for x1, y1, x2, y2, tip in _LINES
    ]
    for x, y, width, title, under, frozen in boxes:
        dash = ' stroke-dasharray="5 4"' if frozen else ""
        parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="50" fill="none" stroke="currentColor" '
            f'stroke-width="1.5" rx="8"{dash}/>'
        )
        middle, top = x + width / 2, y + (22 if under else 30)
        parts.append(f'<text x="{middle}" y="{top}" font-weight="600">{title}</text>')
        if under:
            parts.append(f'<text x="{middle}" y="{y + 39}" font-size="11">{under}</text>')
    parts += [
        '<circle cx="300" cy="363" r="13" fill="none" stroke="currentColor" stroke-width="1.5"/>',
        '<text x="300" y="369" font-size="18">+</text>',
        '<text x="300" y="14">states of the layer below</text>',
        '<text x="300" y="504">to the next layer</text>',
    ]
    label = (
        "One layer of the decoder. After self-attention and layer norm the states go two ways: to the frozen cross-attention over the "
        f"question, and to the branch over the bank, whose find is {spoken}. Both are added to the states, and feed-forward follows. "
        "Dashed boxes are frozen."
    )
    return HTML(
        f'<svg role="img" aria-label="{label}" viewBox="0 0 600 512" style="max-width:560px;width:100%" '
        'fill="currentColor" text-anchor="middle" font-family="system-ui, sans-serif" font-size="13">'
        '<defs><marker id="layer-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>' + "".join(parts) + "</svg>"
    )
