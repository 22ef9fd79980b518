"""Is a bank collapsing? Its metrics by turn, and its rows becoming equal (chapters 6, 8 and 13)."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.viz.colours import LOOKS
from lmem.viz.plots import add_slider, colour_bar, hide_ticks, line, style

PANELS = (  # key of `bank_metrics.measure_bank`, name, factor to the unit, digits
    ("rank", "effective rank", 1, 2),
    ("distinct", "distinct rows", 1, 0),
    ("cosine", "mean cosine of two rows", 1, 3),
    ("middle", "norm of a row", 1, 2),
    ("used", "rows written so far, %", 100, 1),
)
PANEL = 150  # height in pixels
MARKS = (0, 1, 2, 3, 5, 10, 20, 40, 60, 100, 200, 400)  # turns at which a slider stands


def metrics_by_turn(looks: Mapping[str, Sequence[dict]], title: str) -> go.Figure:
    """Draw effective rank, distinct rows, mean cosine, row norms (median, smallest to largest) and use of rows by turn.

    Args:
        looks: {name of a bank: list of `bank_metrics.measure_bank`, one for each turn}.
        title: The heading.

    Raises:
        InputError: There are more banks than lines that can be distinguished.
    """
    if len(looks) > len(LOOKS):
        raise InputError(f"expected at most {len(LOOKS)} banks, not {len(looks)}")
    titles, on_log = [name for _, name, _, _ in PANELS], []
    for panel, key in enumerate(("rank", "distinct", None, "high")):
        if key and max(look[key] for seen in looks.values() for look in seen) > 20:
            titles[panel] += ", log scale"
            on_log.append(panel + 1)
    space = {"shared_xaxes": True, "vertical_spacing": 0.05}
    figure = make_subplots(rows=len(PANELS), subplot_titles=titles, **space)
    for (name, seen), (colour, dash, symbol) in zip(looks.items(), LOOKS, strict=False):
        turns = [look["turns"] for look in seen]
        marker = {"symbol": symbol, "size": 5, "maxdisplayed": 12}
        hover = f"after %{{x}} turns: %{{y}}<extra>{name}</extra>"
        more = {"marker": marker, "legendgroup": name, "hovertemplate": hover}
        for row, (key, _, factor, digits) in enumerate(PANELS, 1):
            if key == "middle":
                figure.add_trace(_range(turns, seen, colour, name), row=row, col=1)
            y = [_round(factor * look[key], digits) for look in seen]
            mode, more["showlegend"] = "lines+markers", row == 1
            figure.add_trace(line(turns, y, name, colour, dash, 2, mode, **more), row=row, col=1)
    alt = "Five charts by turn. " + " ".join(_alt(name, seen) for name, seen in looks.items())
    height, bottom = 170 + PANEL * len(PANELS), 70 + 20 * len(looks)
    style(figure, title, alt, height=height, t=90, b=bottom)
    figure.update_xaxes(title=None, showticklabels=False)
    figure.update_xaxes(title="turns written", showticklabels=True, row=len(PANELS), col=1)
    figure.update_yaxes(rangemode="tozero", nticks=5)
    for row in on_log:
        figure.update_yaxes(type="log", dtick=1, rangemode="normal", row=row, col=1)
    return figure.update_annotations(x=0, xanchor="left", font_size=13)


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
    look = {"zmin": -100, "zmax": 100, "colorscale": "RdBu", "colorbar": colour_bar("cosine, %")}
    look["hovertemplate"] = "cosine %{z}%<extra></extra>"
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
    """Cosines between `count` rows, in whole percent."""
    cosines = bank_metrics.cosines(bank.state.rows[0].detach().float(), count)
    return (100 * cosines).round().cpu().numpy().astype("int8")


def _range(turns: list[int], seen: Sequence[dict], colour: str, name: str) -> go.Scatter:
    """The smallest to the largest norm, as a band under the median's line."""
    low, high = ([_round(look[key], 2) for look in seen] for key in ("low", "high"))
    look = {"fill": "toself", "fillcolor": colour, "opacity": 0.2, "hoverinfo": "skip"}
    x, y = turns + turns[::-1], high + low[::-1]
    return go.Scatter(x=x, y=y, mode="none", legendgroup=name, showlegend=False, **look)


def _alt(name: str, seen: Sequence[dict]) -> str:
    first, last = seen[0], seen[-1]
    return (
        f"{name}, {last['rows']} rows: effective rank {first['rank']:.0f} after {first['turns']} turns and {last['rank']:.1f} "
        f"after {last['turns']}, with {last['distinct']} distinct rows, mean cosine {last['cosine']:.2f} and norm {last['middle']:.1f}."
    )


def _round(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0 if digits else round(float(value))
