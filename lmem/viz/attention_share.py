"""One dial of the paper turns two things: how much of the decoder's attention a bank gets, by its rows and by their length (chapter 13).

share of the bank = R e^(f s) / (R e^(f s) + S)      rows all alike; s their score at length f = 1, S the question's own e^scores
"""

import math

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.plots import slide, style

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def share(rows, length, score, question):
    """The softmax mass of a bank whose rows are all alike.

    rows      how many
    length    of a row, over the one that has this score
    score     of a row with the token that looks
    question  what the question's own tokens have together: the sum of e^score
    """
    bank = math.log(rows) + length * score
    return 1 / (1 + math.exp(min(math.log(question) - bank, 700)))


def dials(settings, title):
    """Share of attention on the bank in each of the decoder's layers, over the dial; a slider over what the dial turns.

    settings  {what is turned: {k: shares, one for each layer}}, the same k in each; k = 1 is the bank that all have in common
    raises    InputError if they do not fit together
    """
    kinds = {
        (tuple(found), len(shares)) for found in settings.values() for shares in found.values()
    }
    if len(kinds) != 1:
        raise InputError(f"expected the same k and layers in all settings, not {len(kinds)} kinds")
    [(dial, layers)] = kinds
    if layers > len(COLOURS):
        raise InputError(
            f"expected at most {len(COLOURS)} layers that can be told apart, not {layers}"
        )
    # two decimals: a share of heads that see nothing but the bank is n / 16, and 6.25 rounds either way to one
    frames = [
        [
            go.Scatter(
                x=list(dial), y=[round(100 * float(found[k][layer]), 2) for k in dial], mode="lines+markers",
                name=f"layer {layer + 1}", line={"color": COLOURS[layer], "dash": DASHES[layer], "width": 2},
                hovertemplate="dial at %{x}: %{y}% on the bank<extra></extra>",
            )
            for layer in range(layers)
        ]
        for found in settings.values()
    ]  # fmt: skip
    spoken = "; ".join(
        f"{name}: " + ", ".join(f"{_mean(found[k]):.0f}% at {k:g}" for k in dial)
        for name, found in settings.items()
    )
    alt = f"Lines of the share of the decoder's attention on the bank by layer, with a slider over what is turned. Means over layers: {spoken}."
    figure = style(go.Figure(), title, alt, "dial (1 is 64 rows as printed)", "attention on the bank, %", 540)  # fmt: skip
    figure.update_xaxes(type="log", tickvals=list(dial), ticktext=[f"{k:g}" for k in dial])
    figure.update_yaxes(range=[-2, 102])
    figure.update_layout(margin_b=190)
    return slide(figure, frames, list(settings), "")


def _mean(shares):
    return 100 * sum(float(one) for one in shares) / len(shares)
