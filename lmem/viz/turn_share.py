"""How much of a turn is left in the bank while others are written, over the lags at which LoCoMo asks (chapters 6 to 8).

    share of a turn at lag l = size of its part / size of the bank      after l later turns: `lmem.analysis.turn_trace.by_lag`

With decay alone it falls as gamma^l, a straight line on a log scale.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.colours import GREY, LOOKS, SKY
from lmem.viz.plots import FRAMES, add_slider, line, shorten, significant, style

QUESTIONS = (28, 24, 60, 130, 395)  # in LoCoMo's test split by bucket, from `lmem data locomo`
ROUNDING = 2**-8  # a number smaller than this share of another is lost when bfloat16 adds it
LEAST = 1e-6  # the smallest share that is drawn
POINTS = 40  # of a line
LAGS = (0, 32, 64, 128, 256)  # of the table
Shares = Mapping[str, Sequence[ArrayLike]]


def turn_shares(
    shares: Shares,
    turns: Sequence[int],
    texts: Sequence[str],
    title: str,
    exact: Container[str] = (),
) -> go.Figure:
    """Draw what is left of a turn in several banks by lag, with a slider over turns; below it, LoCoMo's questions by lag.

    Args:
        shares: {name: shares by lag for each of `turns`}, as `lmem.analysis.turn_trace.by_lag` computes them.
        turns: Numbers of the turns that are followed, at most 40.
        texts: The texts of all turns.
        title: The heading.
        exact: Names of the banks whose parts were computed exactly. For the others a turn was left out, and the legend
            says so.

    Raises:
        InputError: A bank lacks a turn, or there are more banks or turns than can be drawn.
    """
    _check(shares, turns)
    longest = max(len(texts) - min(turns), BUCKETS[-1][0] + 64)
    titles = ["share of the bank, %, log scale", "LoCoMo's questions (last bar: 256 and up)"]
    space = {"shared_xaxes": True, "vertical_spacing": 0.12, "row_heights": [0.7, 0.3]}
    figure = make_subplots(rows=2, subplot_titles=titles, **space)
    frames = [[_points(share[i]) for share in shares.values()] for i in range(len(turns))]
    for name, points, (colour, dash, symbol) in zip(shares, frames[0], LOOKS, strict=False):
        marker = {"symbol": symbol, "size": 6, "maxdisplayed": 12}
        hover = f"lag %{{x}}: %{{y}}%<extra>{name}</extra>"
        legend = name if name in exact else f"{name}, by leaving out"
        look = {"color": colour, "dash": dash, "width": 2, "mode": "lines+markers"}
        trace = line(**points, name=legend, **look, marker=marker, hovertemplate=hover)
        figure.add_trace(trace, row=1, col=1)
    figure.add_trace(_questions(longest), row=2, col=1)
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    alt = (
        f"Lines of what is left of a fact, in percent of the bank by lag in turns, with a slider over {len(turns)} facts. "
        f"{_alt(shares, turns)} Below it bars of LoCoMo's {sum(QUESTIONS)} questions by lag: {', '.join(map(str, QUESTIONS))}."
    )
    style(figure, title, alt, height=680, t=100, b=210)
    figure.update_xaxes(range=[-4, longest], showticklabels=True)
    figure.update_xaxes(title={"text": "lag: turns written since", "standoff": 4}, row=2, col=1)
    lowest = round(np.log10(100 * LEAST))
    powers = range(lowest, 3)
    texts_of_ticks = [f"{10.0**p:.{max(-p, 0)}f}" for p in powers]
    figure.update_yaxes(type="log", range=[lowest, 2.15], row=1, col=1)
    figure.update_yaxes(tickvals=[10.0**p for p in powers], ticktext=texts_of_ticks, row=1, col=1)
    figure.update_yaxes(range=[0, 1.3 * max(QUESTIONS)], title="questions", nticks=4, row=2, col=1)
    at: dict[str, Any] = {"row": 1, "col": 1}
    grey = {"color": GREY, "dash": "dash", "width": 1}
    figure.add_hline(100 * ROUNDING, **at, line=grey)
    look = {"xanchor": "right", "yanchor": "bottom", "showarrow": False, "font": {"size": 11}}
    place = {"x": longest, "y": np.log10(100 * ROUNDING)}
    figure.add_annotation(text="bfloat16's rounding unit", **look, **place, **at)
    labels = [f"turn {turn + 1}" for turn in turns]
    headings = [shorten(texts[turn], 50) for turn in turns]
    frames = [[{"type": "scatter"} | points for points in frame] for frame in frames]
    return add_slider(figure, frames, labels, "the fact of ", headings=headings)


def turn_share_rows(
    shares: Shares, turns: Sequence[int], texts: Sequence[str], lags: Sequence[int] = LAGS
) -> list[dict]:
    """List the numbers behind `turn_shares`: each turn's share of each bank at some lags."""
    _check(shares, turns)
    rows = []
    for i, turn in enumerate(turns):
        for name, by_turn in shares.items():
            share = np.asarray(by_turn[i])
            row = {"turn": turn + 1, "fact": shorten(texts[turn], 40), "bank": name}
            cells = {f"lag {lag}": _percent(share[lag]) if lag < len(share) else "" for lag in lags}
            rows.append(row | cells)
    return rows


def _check(shares: Shares, turns: Sequence[int]) -> None:
    if len(shares) > len(LOOKS) or len(turns) > FRAMES:
        raise InputError(
            f"expected at most {len(LOOKS)} banks and {FRAMES} turns, not {len(shares)} and {len(turns)}"
        )
    for name, by_turn in shares.items():
        if len(by_turn) != len(turns):
            raise InputError(
                f"expected shares for {len(turns)} turns, {name} has them for {len(by_turn)}"
            )


def _points(share: ArrayLike) -> dict[str, list]:
    """x and y of a line; it ends where less than LEAST is left."""
    share = np.asarray(share, dtype=float)
    lags = np.unique(np.round(np.linspace(0, len(share) - 1, POINTS)).astype(int))
    lags = np.union1d(lags, np.arange(min(9, len(share))))
    kept = [lag for lag in lags.tolist() if share[lag] >= LEAST]
    return {"x": kept, "y": [significant(100 * value) for value in share[kept].tolist()]}


def _questions(longest: int) -> go.Bar:
    ends = [(low, min(high, longest)) for low, high in BUCKETS]
    middles, widths = zip(*(((low + high) / 2, high - low - 2) for low, high in ends), strict=True)
    look = {"marker_color": SKY, "showlegend": False, "textposition": "outside"}
    hover = "lag %{hovertext}: %{y} questions<extra></extra>"
    labels = {"text": QUESTIONS, "hovertext": BUCKET_NAMES, "hovertemplate": hover}
    return go.Bar(x=middles, y=QUESTIONS, width=widths, cliponaxis=False, **look, **labels)


def _alt(shares: Shares, turns: Sequence[int]) -> str:
    """What is left of the first turn at lag 0 and at the start of the last bucket."""
    parts = []
    for name, by_turn in shares.items():
        first = np.asarray(by_turn[0])
        lags = [lag for lag in (0, BUCKETS[-1][0]) if lag < len(first)]
        parts.append(
            f"{name} " + " and ".join(f"{_percent(first[lag])} at lag {lag}" for lag in lags)
        )
    return f"Of the fact in turn {turns[0] + 1}: {'; '.join(parts)}."


def _percent(share: float) -> str:
    percent = 100 * float(share)
    if 0 < percent < 100 * LEAST:
        return f"< {100 * LEAST:.4f}%"
    return f"{percent:.0f}%" if percent >= 10 or percent == 0 else f"{percent:.2g}%"
