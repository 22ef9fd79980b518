"""Where did the fact go: what is left of a turn while others are written, over the lags at which LoCoMo asks (chapters 6 to 8).

share of a turn at lag l = size of its part over the size of the bank, when l turns came after it      `lmem.analysis.turn_trace.by_lag`

With decay alone it falls as gamma^l, on a log scale a straight line.
"""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.collapse import LINES
from lmem.viz.plots import COLOURS, FRAMES, short, slide, style

QUESTIONS = (28, 24, 60, 130, 395)  # of LoCoMo's test split by bucket, by `lmem data locomo`
ROUNDING = (
    2**-8
)  # of bfloat16: what is added to a number and is smaller than this share of it is lost
LEAST = 1e-6  # share that is drawn
POINTS = 40  # of a line
LAGS = (0, 32, 64, 128, 256)  # of the table


def went(shares, turns, texts, title, exact=(), counts=QUESTIONS):
    """What is left of a fact in several banks by lag, a slider over facts; below it LoCoMo's questions by lag.

    shares  {name: list of shares by lag}, as `lmem.analysis.turn_trace.by_lag` gives them, one for each of `turns`
    turns   numbers of the turns that are followed, 40 at most
    texts   all turns' texts
    exact   names of the banks whose parts were told apart; of the others a turn was left out, and the legend says so
    counts  questions in each bucket of lag
    raises  InputError if a bank lacks a turn, or for more banks or turns than can be drawn
    """
    _check(shares, turns)
    longest = max(len(texts) - min(turns), BUCKETS[-1][0] + 64)
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.12,
        subplot_titles=["share of the bank, %, log scale", "LoCoMo's questions (last bar: 256 and up)"],
    )  # fmt: skip
    frames = [
        [
            _line(name, found[i], look, name in exact)
            for (name, found), look in zip(shares.items(), LINES, strict=False)
        ]
        for i in range(len(turns))
    ]
    for line in frames[0]:
        figure.add_trace(line, row=1, col=1)
    figure.add_trace(_questions(counts, longest), row=2, col=1)
    frames = [[{"type": "scatter", "x": t.x, "y": t.y} for t in frame] for frame in frames]
    alt = (
        f"Lines of what is left of a fact, in percent of the bank by lag in turns, with a slider over {len(turns)} facts. "
        f"{_spoken(shares, turns)} Below it bars of LoCoMo's {sum(counts)} questions by lag: {', '.join(map(str, counts))}."
    )
    style(figure, title, alt, None, None, height=680)
    figure.update_xaxes(range=[-4, longest], showticklabels=True)
    figure.update_xaxes(title={"text": "lag: turns written since", "standoff": 4}, row=2, col=1)
    powers = range(-round(np.log10(100 * LEAST)), -3, -1)
    figure.update_yaxes(
        type="log", range=[round(np.log10(100 * LEAST)), 2.15], tickvals=[10.0**-p for p in powers],
        ticktext=[f"{10.0**-p:.{max(p, 0)}f}" for p in powers], row=1, col=1,
    )  # fmt: skip
    figure.update_yaxes(range=[0, 1.3 * max(counts)], title="questions", nticks=4, row=2, col=1)
    grey = {"color": COLOURS["baseline"], "dash": "dash", "width": 1}
    figure.add_hline(100 * ROUNDING, row=1, col=1, line=grey)
    figure.add_annotation(
        text="bfloat16's rounding unit", x=longest, y=np.log10(100 * ROUNDING), xanchor="right", yanchor="bottom",
        showarrow=False, font={"size": 11}, row=1, col=1,
    )  # fmt: skip
    for note in figure.layout.annotations[:2]:
        note.update(x=0, xanchor="left", font_size=13)
    slide(figure, frames, [f"turn {turn + 1}" for turn in turns], "the fact of ")
    headings = [short(texts[turn], 50) for turn in turns]
    for frame, heading in zip(figure.frames, headings, strict=True):
        frame.layout = {"title": {"text": title, "subtitle": {"text": heading}}}
    return figure.update_layout(
        title_subtitle={"text": headings[0], "font": {"size": 13}}, margin={"t": 100, "b": 210}
    )


def went_rows(shares, turns, texts, lags=LAGS):
    """The table behind it: each fact's share of each bank at some lags."""
    _check(shares, turns)
    return [
        {"turn": turn + 1, "fact": short(texts[turn], 40), "bank": name}
        | {f"lag {lag}": _percent(found[i][lag]) if lag < len(found[i]) else "" for lag in lags}
        for i, turn in enumerate(turns)
        for name, found in shares.items()
    ]


def _check(shares, turns):
    if len(shares) > len(LINES) or len(turns) > FRAMES:
        raise InputError(
            f"expected at most {len(LINES)} banks and {FRAMES} turns, not {len(shares)} and {len(turns)}"
        )
    for name, found in shares.items():
        if len(found) != len(turns):
            raise InputError(
                f"expected shares for {len(turns)} turns, {name} has them for {len(found)}"
            )


def _line(name, share, look, exact):
    """Up to where less than LEAST is left: a line that ends there ends in nothing."""
    share = np.asarray(share, dtype=float)
    lags = np.unique(np.round(np.linspace(0, len(share) - 1, POINTS)).astype(int))
    lags = np.union1d(lags, np.arange(min(9, len(share))))
    kept = [lag for lag in lags.tolist() if share[lag] >= LEAST]
    colour, dash, mark = look
    return go.Scatter(
        x=kept, y=[float(f"{100 * share[lag]:.3g}") for lag in kept], mode="lines+markers",
        name=name if exact else f"{name}, by leaving out", line={"color": colour, "dash": dash, "width": 2},
        marker={"symbol": mark, "size": 6, "maxdisplayed": 12},
        hovertemplate=f"lag %{{x}}: %{{y}}%<extra>{name}</extra>",
    )  # fmt: skip


def _questions(counts, longest):
    ends = [(low, min(high, longest)) for low, high in BUCKETS]
    return go.Bar(
        x=[(low + high) / 2 for low, high in ends], width=[high - low - 2 for low, high in ends], y=list(counts),
        text=list(counts), textposition="outside", cliponaxis=False, marker_color=COLOURS["none"], showlegend=False,
        hovertext=BUCKET_NAMES, hovertemplate="lag %{hovertext}: %{y} questions<extra></extra>",
    )  # fmt: skip


def _spoken(shares, turns):
    """What is left of the first fact at once, and at the longest lag that every bucket but the last has reached."""
    said = []
    for name, [first, *_] in shares.items():
        lags = [lag for lag in (0, BUCKETS[-1][0]) if lag < len(first)]
        left = " and ".join(f"{_percent(first[lag])} at lag {lag}" for lag in lags)
        said.append(f"{name} {left}")
    return f"Of the fact in turn {turns[0] + 1}: {'; '.join(said)}."


def _percent(share):
    percent = 100 * float(share)
    if 0 < percent < 100 * LEAST:
        return f"< {100 * LEAST:.4f}%"
    return f"{percent:.0f}%" if percent >= 10 or percent == 0 else f"{percent:.2g}%"
