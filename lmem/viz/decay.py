"""What a decay leaves of a turn, by how many turns were written after it (chapter 2).

left = gamma^lag,   in a bank whose every row is multiplied by gamma with each turn
"""

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.experiments import paper
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.plots import COLOURS, slide, style

BF16 = 2.0**-8  # beside a 1, bfloat16 rounds away what is smaller
GAMMAS = (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)
LAST = 384  # lag that is drawn at most


def left(gammas=GAMMAS, lags=range(0, LAST + 1, 8)):
    """Rows {gamma, lag, left}: the share of a turn that is left after `lag` later turns, to three digits.

    raises  InputError for a gamma outside (0, 1]
    """
    if not all(0 < gamma <= 1 for gamma in gammas):
        raise InputError(f"expected decays in (0, 1], not {list(gammas)}")
    return [
        {"gamma": gamma, "lag": lag, "left": float(f"{gamma**lag:.3g}")}
        for gamma in gammas
        for lag in lags
    ]


def draw_left(rows, counts=paper.QUESTIONS, shown=None):
    """The share by lag, on a log scale, over the buckets of lag and their questions; a slider over the decay.

    counts  questions in each bucket, by default the paper's test split of LoCoMo
    shown   the decay that is drawn first; default: the second
    """
    gammas = list(dict.fromkeys(row["gamma"] for row in rows))
    frames = []
    for gamma in gammas:
        here = [row for row in rows if row["gamma"] == gamma]
        lags = [row["lag"] for row in here]
        share = go.Scatter(
            x=lags, y=[row["left"] for row in here], name="left of the turn", mode="lines",
            line={"color": COLOURS["right"], "width": 3}, hovertemplate="%{y} after %{x} turns<extra></extra>",
        )  # fmt: skip
        unit = go.Scatter(
            x=[lags[0], lags[-1]], y=[BF16] * 2, name="bfloat16 rounds it away beside a 1", mode="lines",
            line={"color": COLOURS["twin"], "dash": "dash", "width": 2}, hoverinfo="skip",
        )  # fmt: skip
        frames.append([share, unit])
    place = min(1, len(gammas) - 1) if shown is None else gammas.index(shown)
    ends = ", ".join(
        f"{row['left']:g} after {row['lag']}"
        for row in rows
        if row["gamma"] == gammas[place] and row["lag"] in {low for low, _ in BUCKETS}
    )
    alt = (
        "Line of the share of a turn that is left, by the number of later turns, on a log scale, with a slider over the decay. At "
        f"{gammas[place]:g}: {ends}. Above it the questions of each bucket: {', '.join(map(str, counts))}."
    )
    figure = style(
        go.Figure(), "What the decay leaves", alt, "lag: turns written since", "share left", 540
    )
    for i, (low, high) in enumerate(BUCKETS):
        if i:
            figure.add_vline(
                low, line={"color": "rgba(128,128,128,0.6)", "width": 1, "dash": "dot"}
            )
        middle = (low + min(high, LAST)) / 2
        figure.add_annotation(
            x=middle, y=1.02, yref="paper", yanchor="bottom", showarrow=False, textangle=-90 if i < 2 else 0,
            text=f"n={counts[i]}", font={"size": 11}, hovertext=f"lag {BUCKET_NAMES[i]}",
        )  # fmt: skip
    figure.update_yaxes(type="log", range=[-8.2, 0.3], dtick=2, exponentformat="power")
    figure.update_xaxes(range=[0, LAST])
    figure.update_layout(margin={"t": 110, "b": 190})
    return slide(figure, frames, [f"{gamma:g}" for gamma in gammas], "decay: ", shown=place)
