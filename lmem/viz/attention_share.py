"""How much of the decoder's attention a bank gets, by the number of its rows and by their length (chapter 13).

    share of the bank = R e^(f s) / (R e^(f s) + S)      for R equal rows

s is the score of a row of length f = 1, and S the sum of e^score over the question's own tokens. The paper's scale changes
both R and f.
"""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import LOOKS
from lmem.viz.plots import add_slider, line, percent, style


def bank_share(rows: int, length: float, score: float, question: float) -> float:
    """Compute the softmax mass of a bank whose rows are all equal.

    Args:
        rows: How many rows, R.
        length: Length of a row, relative to the length at which it has this score.
        score: Score of a row with the token that attends.
        question: Sum of e^score over the question's own tokens.
    """
    bank = math.log(rows) + length * score
    return 1 / (1 + math.exp(min(math.log(question) - bank, 700)))


def draw_bank_share(
    settings: Mapping[str, Mapping[float, Sequence[float]]], title: str
) -> go.Figure:
    """Draw the bank's share of attention in each decoder layer by scale, with a slider over what the scale changes.

    Args:
        settings: {what is changed: {scale: shares, one for each layer}}, the same scales in each. Scale 1 is the
            bank that all settings have in common.
        title: The heading.

    Raises:
        InputError: The settings do not fit together, or there are too many layers to draw.
    """
    kinds = {(tuple(by), len(shares)) for by in settings.values() for shares in by.values()}
    if len(kinds) != 1:
        raise InputError(
            f"expected the same scales and layers in all settings, found {len(kinds)} kinds"
        )
    [(scales, layers)] = kinds
    if layers > len(LOOKS):
        raise InputError(
            f"expected at most {len(LOOKS)} layers that can be told apart, not {layers}"
        )
    hover = "scale %{x}: %{y}% on the bank<extra></extra>"
    frames = []
    for by_scale in settings.values():
        lines = []
        for layer, (colour, dash, _) in enumerate(LOOKS[:layers]):
            # two decimals: a share of n / 16 such as 6.25 could round either way with one
            y = [percent(by_scale[scale][layer], 2) for scale in scales]
            name, mode = f"layer {layer + 1}", "lines+markers"
            lines.append(line(scales, y, name, colour, dash, 2, mode, hovertemplate=hover))
        frames.append(lines)
    means = []
    for name, by_scale in settings.items():
        at = ", ".join(f"{100 * sum(by_scale[k]) / layers:.0f}% at {k:g}" for k in scales)
        means.append(f"{name}: {at}")
    alt = (
        "Lines of the share of the decoder's attention on the bank by layer, with a slider over what is turned. "
        f"Means over layers: {'; '.join(means)}."
    )
    x, y = "scale (1 is 64 rows as printed)", "attention on the bank, %"
    figure = style(go.Figure(), title, alt, x, y, 540, b=190)
    figure.update_xaxes(type="log", tickvals=scales, ticktext=[f"{k:g}" for k in scales])
    figure.update_yaxes(range=[-2, 102])
    return add_slider(figure, frames, list(settings), "")
