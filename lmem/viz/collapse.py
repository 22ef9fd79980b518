"""Is the bank collapsing: its numbers by turn, bank beside bank, and the rows turning into one another (chapters 6, 8 and 13)."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.viz.plots import FRAMES, slide, style

LINES = (  # told apart by colour, by dash and by mark
    ("#0072B2", "solid", "circle"), ("#D55E00", "dash", "square"), ("#009E73", "dot", "diamond"), ("#CC79A7", "dashdot", "x"),
    ("#E69F00", "longdash", "cross"), ("#56B4E9", "solid", "triangle-up"),
)  # fmt: skip
PANELS = (  # of the board: key of `probe.look`, name, factor to the unit, digits
    ("rank", "effective rank", 1, 2),
    ("distinct", "distinct rows", 1, 0),
    ("cosine", "mean cosine of two rows", 1, 3),
    ("middle", "norm of a row", 1, 2),
    ("used", "rows written so far, %", 100, 1),
)
PANEL = 150  # pixels of height


def board(looks, title):
    """Effective rank, distinct rows, mean cosine, row norms (median, smallest to largest) and use of rows, by turn.

    looks   {name: list of `probe.look`, one for each turn}
    raises  InputError for more banks than lines that can be told apart
    """
    if len(looks) > len(LINES):
        raise InputError(f"expected at most {len(LINES)} banks, not {len(looks)}")
    figure = make_subplots(
        rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.05,
        subplot_titles=[name for _, name, _, _ in PANELS],
    )  # fmt: skip
    for (name, seen), (colour, dash, mark) in zip(looks.items(), LINES, strict=False):
        turns = [one["turns"] for one in seen]
        for i, (key, _, factor, digits) in enumerate(PANELS):
            line = go.Scatter(
                x=turns, y=[_round(factor * one[key], digits) for one in seen], name=name, mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2}, marker={"symbol": mark, "size": 5, "maxdisplayed": 12},
                legendgroup=name, showlegend=i == 0, hovertemplate=f"after %{{x}} turns: %{{y}}<extra>{name}</extra>",
            )  # fmt: skip
            if key == "middle":
                _spread(figure, turns, seen, colour, name, i + 1)
            figure.add_trace(line, row=i + 1, col=1)
    alt = "Five charts by turn. " + " ".join(_spoken(name, seen) for name, seen in looks.items())
    style(figure, title, alt, None, None, 170 + PANEL * len(PANELS))
    figure.update_xaxes(title=None, showticklabels=False)
    figure.update_xaxes(title="turns written", showticklabels=True, row=len(PANELS), col=1)
    figure.update_yaxes(rangemode="tozero", nticks=5)
    for row, key in ((1, "rank"), (2, "distinct"), (4, "high")):
        top = max(one[key] for seen in looks.values() for one in seen)
        if top > 20:
            figure.update_yaxes(type="log", dtick=1, rangemode="normal", row=row, col=1)
            figure.layout.annotations[row - 1].text += ", log scale"
    for note in figure.layout.annotations:
        note.update(x=0, xanchor="left", font_size=13)
    return figure.update_layout(margin={"t": 90, "b": 70 + 20 * len(looks)})


def board_rows(looks, turns):
    """The table behind it, at some of the turns."""
    return [
        {"bank": name, "turns written": one["turns"]}
        | {title: f"{factor * one[key]:.{digits}f}" for key, title, factor, digits in PANELS}
        for name, seen in looks.items()
        for one in seen
        if one["turns"] in turns
    ]


def rows_meet(banks, title, count=24):
    """Cosines between rows, a map for each bank, a slider over turns and a button that plays it: a bank that collapses turns
    into one colour.

    banks  {name: list of Bank: before the first turn, then after every turn}, equally many
    count  rows of each bank that are drawn, evenly spaced
    """
    lengths = {len(steps) for steps in banks.values()}
    if len(lengths) != 1:
        raise InputError(
            f"expected banks of one conversation, equally many of each name, not {sorted(lengths)}"
        )
    [length] = lengths
    kept = sorted({0, length - 1, *range(0, length, -(-length // (FRAMES - 1)))})
    down = -(-len(banks) // 2)
    figure = make_subplots(
        rows=down, cols=2, vertical_spacing=0.25 / down, horizontal_spacing=0.08,
        subplot_titles=[f"{name}: {len(steps[0].state.rows[0])} rows" for name, steps in banks.items()],
    )  # fmt: skip
    frames = [
        [_map(steps[i], count, place == 0) for place, steps in enumerate(banks.values())]
        for i in kept
    ]
    for place, heat in enumerate(frames[0]):
        figure.add_trace(heat, row=place // 2 + 1, col=place % 2 + 1)
    frames = [[go.Heatmap(z=heat.z) for heat in frame] for frame in frames]
    spoken = "; ".join(
        f"{name}: mean cosine {bank_metrics.mean_cosine(steps[0].state.rows[0]):.2f} before the first turn, "
        f"{bank_metrics.mean_cosine(steps[-1].state.rows[0]):.2f} after {length - 1}"
        for name, steps in banks.items()
    )
    alt = f"Maps of the cosines between rows, with a slider over turns. {spoken}."
    style(figure, title, alt, None, None, 250 + 230 * down)
    figure.update_xaxes(showticklabels=False, ticks="", automargin=False, title=None)
    figure.update_yaxes(
        showticklabels=False, ticks="", autorange="reversed", showgrid=False, title=None
    )
    figure.update_yaxes(title="row", col=1)
    figure.update_xaxes(title={"text": "row", "standoff": 4})
    for note in figure.layout.annotations:
        note.update(font_size=13)
    figure.update_layout(margin={"t": 90, "b": 190, "l": 40})
    slide(figure, frames, [str(i) for i in kept], "turns written: ")
    step = {"frame": {"duration": 350}, "transition": {"duration": 0}, "fromcurrent": True}
    play = {"label": "play", "method": "animate", "args": [None, step]}
    halt = {"label": "stop", "method": "animate", "args": [[None], {"mode": "immediate"}]}
    return figure.update_layout(
        updatemenus=[
            {
                "type": "buttons", "direction": "right", "buttons": [play, halt], "showactive": False,
                "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom", "pad": {"b": 28},
            }
        ]
    )  # fmt: skip


def _map(bank, count, scale):
    z = (100 * bank_metrics.cosines(bank.state.rows[0].detach().float(), count)).round().numpy()
    return go.Heatmap(
        z=z.astype("int8"), zmin=-100, zmax=100, colorscale="RdBu", showscale=scale,
        hovertemplate="cosine %{z}%<extra></extra>",
        colorbar={
            "title": {"text": "cosine, %", "side": "bottom"}, "orientation": "h", "thickness": 10, "len": 1,
            "yref": "container", "y": 0, "yanchor": "bottom",
        },
    )  # fmt: skip


def _spread(figure, turns, seen, colour, name, row):
    """Smallest to largest norm, as a band under the median's line."""
    low, high = ([_round(one[key], 2) for one in seen] for key in ("low", "high"))
    figure.add_trace(
        go.Scatter(
            x=turns + turns[::-1], y=high + low[::-1], fill="toself", mode="none", fillcolor=colour, opacity=0.2,
            legendgroup=name, showlegend=False, hoverinfo="skip",
        ),
        row=row, col=1,
    )  # fmt: skip


def _spoken(name, seen):
    last = seen[-1]
    return (
        f"{name}, {last['rows']} rows: effective rank {seen[0]['rank']:.0f} after {seen[0]['turns']} turns and {last['rank']:.1f} "
        f"after {last['turns']}, with {last['distinct']} distinct rows, mean cosine {last['cosine']:.2f} and norm {last['middle']:.1f}."
    )


def _round(value, digits):
    return round(float(value), digits) + 0.0 if digits else round(float(value))
