"""Is a bank collapsing? Its metrics by turn, and its rows becoming equal (chapters 6, 8 and 13)."""

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.viz.colours import BLUE, GREEN, ORANGE, SIGNED
from lmem.viz.plots import add_slider, cosine_bar, hide_ticks, line, style

PANELS = (  # key of `bank_metrics.measure_bank`, name, factor to the unit, digits
    ("rank", "effective rank", 1, 2),
    ("distinct", "distinct rows", 1, 0),
    ("cosine", "mean cosine of two rows", 1, 3),
    ("middle", "norm of a row", 1, 2),
    ("used", "rows written so far, %", 100, 1),
)
LINES = (  # name, key of `bank_metrics.measure_bank`, what it is a share of, colour, dash, marker
    ("rows that differ", "distinct", "rows", BLUE, "solid", "circle"),
    ("likeness of two rows (mean cosine)", "cosine", None, ORANGE, "dash", "square"),
    ("directions in use (effective rank)", "rank", "rows", GREEN, "dot", "diamond"),
)
MOST = 8  # banks of one board
TICKS = (0, 1, 3, 10, 30, 100, 300)  # turns that are named on its axis
PANEL = 170  # height in pixels
MARKS = (0, 1, 2, 3, 5, 10, 20, 40, 60, 100, 200, 400)  # turns at which the slider stops


def metrics_by_turn(looks: Mapping[str, Sequence[dict]], title: str) -> go.Figure:
    """Draw for each bank, in a panel of its own, how many rows differ, how alike they are, and how many directions they use.

    All are on one axis, from 0 to 1: two shares of the number of rows, and a cosine. The axis of turns is stretched at its beginning, where most happens.

    Args:
        looks: {name of a bank: list of `bank_metrics.measure_bank`, one for each turn}.
        title: The heading, which says what is to be seen.

    Raises:
        InputError: There are too many banks for one figure.
    """
    if len(looks) > MOST:
        raise InputError(f"expected at most {MOST} banks, not {len(looks)}")
    down = -(-len(looks) // 2)
    space: dict[str, Any] = {"vertical_spacing": 0.24 / down, "horizontal_spacing": 0.06}
    figure = make_subplots(
        rows=down, cols=2, subplot_titles=list(looks), shared_yaxes=True, **space
    )
    for place, seen in enumerate(looks.values()):
        turns = [look["turns"] for look in seen]
        for name, key, whole, colour, dash, symbol in LINES:
            y = [_round(look[key] / (look[whole] if whole else 1), 3) for look in seen]
            marker = {"symbol": symbol, "size": 5, "maxdisplayed": 8}
            more = {"marker": marker, "legendgroup": name, "showlegend": place == 0}
            more["customdata"] = turns
            more["hovertemplate"] = f"after %{{customdata}} turns: %{{y}}<extra>{name}</extra>"
            x = [_round(math.log2(1 + turn), 2) for turn in turns]
            drawn = line(x, y, name, colour, dash, 2, "lines+markers", **more)
            figure.add_trace(drawn, row=place // 2 + 1, col=place % 2 + 1)
    alt = "A panel for each bank, by turn. " + " ".join(
        _alt(name, seen) for name, seen in looks.items()
    )
    style(figure, title, alt, height=190 + PANEL * down, t=80, b=110, l=46)
    last = max(look["turns"] for seen in looks.values() for look in seen)
    marks = [*(turn for turn in TICKS if turn < 0.4 * last), last]
    places = [round(math.log2(1 + turn), 2) for turn in marks]
    figure.update_xaxes(title=None, tickvals=places, ticktext=list(map(str, marks)))
    figure.update_xaxes(title={"text": "turns written", "standoff": 6}, row=down)
    figure.update_yaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", "0.5", "1"])
    return figure.update_annotations(font_size=13)


def metric_rows(looks: Mapping[str, Sequence[dict]], turns: Container[int]) -> list[dict]:
    """List the numbers behind `metrics_by_turn`, after some numbers of turns."""
    return [
        {"bank": name, "turns written": look["turns"]}
        | {title: f"{factor * look[key]:.{digits}f}" for key, title, factor, digits in PANELS}
        for name, seen in looks.items()
        for look in seen
        if look["turns"] in turns
    ]


def row_cosines(banks: Mapping[str, Sequence[Bank]], title: str, count: int = 24) -> go.Figure:
    """Draw the cosines between rows as a map for each bank, with a slider over turns.

    The map of a bank that collapses turns into one colour. Most of it happens in the first turns, so the slider stands at 0, 1,
    2, 3, 5, 10, 20, 40, ... turns and opens at 2.

    Args:
        banks: {name: banks before the first turn and after every turn}, equally many.
        title: The heading.
        count: Rows of each bank that are drawn, evenly spaced.

    Raises:
        InputError: The banks are not equally many.
    """
    lengths = {len(steps) for steps in banks.values()}
    if len(lengths) != 1:
        raise InputError(
            f"expected banks of one conversation, equally many of each name, not {sorted(lengths)}"
        )
    [length] = lengths
    kept = [turns for turns in MARKS if turns < length - 1] + [length - 1]
    shown = min(2, len(kept) - 1)
    down = -(-len(banks) // 2)
    titles = [f"{name}: {steps[0].state.rows.shape[1]} rows" for name, steps in banks.items()]
    space: dict[str, Any] = {"vertical_spacing": 0.25 / down, "horizontal_spacing": 0.08}
    figure = make_subplots(rows=down, cols=2, subplot_titles=titles, **space)
    frames = [[go.Heatmap(z=_map(steps[i], count)) for steps in banks.values()] for i in kept]
    look = {"zmin": -100, "zmax": 100, "colorscale": SIGNED, "colorbar": cosine_bar()}
    look["hovertemplate"] = "cosine %{z}/100<extra></extra>"
    for place, heat in enumerate(frames[shown]):
        heat = go.Heatmap(heat).update(showscale=place == 0, **look)
        figure.add_trace(heat, row=place // 2 + 1, col=place % 2 + 1)
    means = []
    for name, steps in banks.items():
        first, last = (bank_metrics.mean_cosine(steps[i].state.rows[0]) for i in (0, -1))
        means.append(
            f"{name}: mean cosine {first:.2f} before the first turn, {last:.2f} after {length - 1}"
        )
    alt = f"Maps of the cosines between rows, with a slider over turns. {'; '.join(means)}."
    style(figure, title, alt, height=250 + 260 * down, t=90, b=190, l=40)
    hide_ticks(figure)
    figure.update_xaxes(automargin=False, title={"text": "row", "standoff": 4})
    figure.update_yaxes(title=None)
    figure.update_yaxes(title="row", col=1)
    figure.update_annotations(font_size=13)
    for place in range(len(banks)):
        name = str(place + 1) if place else ""
        figure.update_layout({f"yaxis{name}": {"scaleanchor": f"x{name}", "constrain": "domain"}})
    figure.update_xaxes(constrain="domain")
    return add_slider(figure, frames, [str(i) for i in kept], "turns written: ", shown=shown)


def _map(bank: Bank, count: int):
    """Cosines between `count` rows, times 100, in bytes."""
    cosines = bank_metrics.cosines(bank.state.rows[0].detach().float(), count)
    return (100 * cosines).round().cpu().numpy().astype("int8")


def _alt(name: str, seen: Sequence[dict]) -> str:
    first, last = seen[0], seen[-1]
    return (
        f"{name}, {last['rows']} rows: effective rank {first['rank']:.0f} after {first['turns']} turns and {last['rank']:.1f} "
        f"after {last['turns']}, with {last['distinct']} distinct rows, mean cosine {last['cosine']:.2f} and norm {last['middle']:.1f}."
    )


def _round(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0 if digits else round(float(value))
