"""What all figures share: colours, axes, sliders, error bars and text alternatives.

A figure is a function from values to a plotly figure. It loads no model and computes nothing that another folder
computes. Its values are rounded, so that two figures can be compared. Every figure has a text alternative in
`layout.meta.alt`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

FRAMES = 40  # the most frames of a slider
COSINES = ["-1", "-0.5", "0", "0.5", "1"]  # of a colour scale
FLAT_LEGEND = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}


def style(
    figure: go.Figure,
    title: str,
    alt: str,
    x: str | None = None,
    y: str | None = None,
    height: int = 380,
    **margin: int,
) -> go.Figure:
    """Give a figure the common look.

    Args:
        figure: The figure; it is changed.
        title: The heading.
        alt: The text alternative.
        x: Name of the x axis with its unit.
        y: Name of the y axis with its unit.
        height: In pixels.
        **margin: Margins in pixels that differ from the common ones: t, b, l, r.

    Returns:
        The same figure.
    """
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0.01, "font": {"size": 16}},
        height=height,
        margin={"l": 60, "r": 20, "t": 60, "b": 95} | margin,
        font={"family": "system-ui, sans-serif", "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        meta={"alt": alt},
        legend=FLAT_LEGEND,
    )
    figure.update_xaxes(title={"text": x, "standoff": 14}, automargin=True, showgrid=False)
    figure.update_yaxes(title=y, gridcolor="rgba(128,128,128,0.25)")
    return figure


def add_slider(
    figure: go.Figure,
    frames: Sequence[Sequence],
    labels: Sequence[str],
    prefix: str,
    suffix: str = "",
    shown: int = 0,
    headings: Sequence[str] = (),
) -> go.Figure:
    """Add a slider that replaces the traces of a figure. It works without a kernel.

    Args:
        figure: The figure; it is changed. If it has no traces yet, it gets those of the frame `shown`.
        frames: Traces of each frame, equally many. For a figure that has its traces already, what changes in them.
        labels: A name for each frame, all different.
        prefix: Text before the name of the current frame.
        suffix: Text after it.
        shown: Which frame the figure opens with.
        headings: A subtitle for each frame.

    Returns:
        The same figure.
    """
    if not figure.data:
        figure.add_traces(frames[shown])
    figure.frames = [
        go.Frame(name=label, data=traces, traces=list(range(len(traces))))
        for label, traces in zip(labels, frames, strict=True)
    ]
    now = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    steps = [{"label": label, "method": "animate", "args": [[label], now]} for label in labels]
    value = {"prefix": prefix, "suffix": suffix}
    slider = {"steps": steps, "active": shown, "currentvalue": value, "pad": {"t": 70}}
    figure.update_layout(sliders=[slider])
    if headings:
        title = figure.to_dict()["layout"]["title"]["text"]
        for frame, heading in zip(figure.frames, headings, strict=True):
            frame.layout = {"title": {"text": title, "subtitle": {"text": heading}}}
        figure.update_layout(title_subtitle={"text": headings[shown], "font": {"size": 13}})
    return figure


def line(
    x: Iterable,
    y: Iterable,
    name: str | None = None,
    color: str | None = None,
    dash: str | None = None,
    width: float | None = None,
    mode: str = "lines",
    **more: Any,
) -> go.Scatter:
    """Make one line of a chart; `more` goes to plotly's `Scatter`."""
    look = {"color": color, "dash": dash, "width": width}
    look = {key: value for key, value in look.items() if value is not None}
    return go.Scatter(x=list(x), y=list(y), name=name, mode=mode, line=look or None, **more)


def label_ends(figure: go.Figure, ends: Iterable[tuple[str, float, float]]) -> None:
    """Write the names of lines at their right ends, below those that end near 0 and above others. Ends less than 4 apart share a label.

    Args:
        figure: The figure; it is changed.
        ends: (name, x, y) each; of an axis in logarithms the logarithm.
    """
    groups: list[list[tuple[str, float, float]]] = []
    for end in sorted(ends, key=lambda one: one[2]):
        if groups and end[2] - groups[-1][-1][2] < 4:
            groups[-1].append(end)
        else:
            groups.append([end])
    for group in groups:
        name = ", ".join(sorted({end[0] for end in group}))
        place = {"x": max(end[1] for end in group), "xanchor": "right", "showarrow": False}
        if group[-1][2] < 4:
            place |= {"y": group[0][2], "yanchor": "top", "yshift": -6}
        else:
            place |= {"y": group[-1][2], "yanchor": "bottom", "yshift": 6, "xshift": -6}
        figure.add_annotation(text=name, **place)


def grouped(rows: Iterable[dict], key: str) -> dict[Any, list[dict]]:
    """Group rows by the value of one column, in the order in which the values appear."""
    groups: dict[Any, list[dict]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def column(rows: Iterable[Mapping], key: str) -> list:
    """List the values of one column."""
    return [row[key] for row in rows]


def error_bars(estimates: Sequence[Mapping[str, Any]]) -> dict | None:
    """Make plotly's error bars in percent from means with their intervals.

    Args:
        estimates: {mean, low, high} each, fractions.

    Returns:
        The setting for `error_x` or `error_y`, without a bar where there is no interval.
    """

    def apart(low: str, high: str) -> list[float | None]:
        return [None if e["low"] is None else round(100 * (e[high] - e[low]), 1) for e in estimates]

    up, down = apart("mean", "high"), apart("low", "mean")
    known = any(length is not None for length in up)
    return {"type": "data", "array": up, "arrayminus": down, "symmetric": False} if known else None


def colour_bar(title: str) -> dict:
    """Describe a colour scale below the figure, where it takes no width from a map."""
    return {"title": {"text": title, "side": "bottom"}, "thickness": 10, "len": 1} | FLAT_LEGEND


def cosine_bar() -> dict:
    """Describe the colour scale of cosines, which are stored as bytes: 100 is a cosine of 1."""
    return colour_bar("cosine") | {"tickvals": [-100, -50, 0, 50, 100], "ticktext": COSINES}


def hide_ticks(figure: go.Figure, **where: Any) -> None:
    """Draw maps with the first row on top and without ticks, in all panels or in one (row, col)."""
    figure.update_xaxes(showticklabels=False, ticks="", **where)
    figure.update_yaxes(
        autorange="reversed", showticklabels=False, ticks="", showgrid=False, **where
    )


def shorten(text: str, length: int = 70) -> str:
    """Cut a turn's text, without its prefix "context: ", to so many characters."""
    text = text.removeprefix("context: ")
    return text if len(text) <= length else text[: length - 1] + "…"


def percent(value: float | None, digits: int = 1) -> float | None:
    """Convert a fraction to percent, rounded; None stays None."""
    return None if value is None else round(100 * float(value), digits) + 0.0


def significant(value: float, digits: int = 3) -> float:
    """Round to so many significant digits."""
    return float(f"{value:.{digits}g}")
