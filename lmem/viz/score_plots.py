"""Scores from result files: conditions, the ablation ladder, capacity, a training's loss.

The paper's values, if they are drawn, are open diamonds with a name of their own (`lmem.experiments.paper`).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import BLUE, COLOURS, GREY, LOOKS, NAMES, ORANGE
from lmem.viz.forgetting_curve import PAPER_MARK
from lmem.viz.plots import error_bars, label_ends, line, percent, style

TICKS = (0.25, 1, 3, 10, 40)  # sizes of a bank that are named on an axis


def conditions(summary: dict, title: str) -> go.Figure:
    """Draw the exact match of a result's conditions as bars, with their 95% intervals.

    Args:
        summary: Of a result file.
        title: The heading.
    """
    names = [name for name in NAMES if name in summary["conditions"]]
    scores = {NAMES[name]: summary["conditions"][name]["em"] for name in names}
    return bars(scores, title, [COLOURS[name] for name in names])


def bars(
    scores: Mapping[str, Mapping[str, Any]], title: str, colours: Sequence[str] | str = BLUE
) -> go.Figure:
    """Draw exact match as bars, by what the decoder reads, with 95% intervals.

    Args:
        scores: {what it reads: {mean, low, high}}, fractions.
        title: The heading.
        colours: One for each bar, or one for all.
    """
    y = [percent(score["mean"]) for score in scores.values()]
    look = {"error_y": error_bars(list(scores.values())), "marker_color": colours}
    means = [f"{name} {100 * score['mean']:.0f}" for name, score in scores.items()]
    alt = f"Bars of exact match in percent: {', '.join(means)}."
    figure = go.Figure(go.Bar(x=list(scores), y=y, **look))
    return style(figure, title, alt, "what the decoder reads", "exact match, %")


def points(
    rows: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    title: str,
    axis: str,
    unit: float,
) -> go.Figure:
    """Draw estimates with their 95% intervals, a line of points for each row.

    Args:
        rows: {row: {series: [{mean, low, high}]}}; a series has the same look in all rows.
        title: The heading.
        axis: What the estimates are, with their unit.
        unit: What they are multiplied by: 100 for fractions in percent.
    """
    figure, spoken = go.Figure(), []
    for row, found in rows.items():
        means = {
            name: [f"{round(unit * one['mean'], 1) + 0.0}" for one in some]
            for name, some in found.items()
        }
        said = [f"{name} {', '.join(values)}" for name, values in means.items()]
        spoken.append(f"{row}: {'; '.join(said)}")
    for place, name in enumerate(dict.fromkeys(name for found in rows.values() for name in found)):
        y, some = [], []
        for i, found in enumerate(rows.values()):
            for one in found.get(name, ()):
                ends = {end: one[end] for end in ("mean", "low", "high")}
                some.append({k: v if v is None else v * unit / 100 for k, v in ends.items()})
                y.append(i)
        colour, _, symbol = LOOKS[place]
        look = {"mode": "markers", "marker": {"symbol": symbol, "size": 10}}
        look |= {"error_x": error_bars(some), "hovertemplate": "%{x}<extra></extra>"}
        figure.add_trace(line([percent(one["mean"]) for one in some], y, name, colour, **look))
    alt = f"Points with their intervals, {axis}. {'. '.join(spoken)}."
    style(figure, title, alt, axis, height=190 + 34 * len(rows))
    figure.update_xaxes(zeroline=True, zerolinewidth=2, showgrid=True)
    ticks = {"tickvals": list(range(len(rows))), "ticktext": list(rows)}
    ends = [len(rows) - 0.5, -0.5]
    return figure.update_yaxes(range=ends, automargin=True, zeroline=False, **ticks)


def ladder(
    steps: Sequence[tuple[str, Mapping[float, tuple[float, float | None, float | None]]]],
    title: str,
) -> go.Figure:
    """Draw the ablation ladder: the memory score after each change to the method, at every size of the bank.

    Args:
        steps: (label, {scale: (estimate, low, high)}) each, from the method as printed on, each step with all changes
            before it; fractions of exact match. low and high may be None.
        title: The heading.

    Raises:
        InputError: There is no step.
    """
    if not steps:
        raise InputError("expected at least one step of the ladder, got none")
    figure = go.Figure()
    scales = sorted({scale for _, scores in steps for scale in scores})
    for place, scale in enumerate(scales):
        here = [(i, scores[scale]) for i, (_, scores) in enumerate(steps) if scale in scores]
        estimates = [{"mean": m, "low": low, "high": high} for _, (m, low, high) in here]
        offset = round(0.24 * (place - (len(scales) - 1) / 2), 2)  # intervals must not overlap
        colour, _, symbol = LOOKS[place % 3]
        x, y = [percent(e["mean"]) for e in estimates], [i + offset for i, _ in here]
        more = {"error_x": error_bars(estimates), "marker": {"symbol": symbol, "size": 10}}
        more |= {"hovertemplate": "%{x}<extra></extra>", "mode": "markers"}
        figure.add_trace(line(x, y, f"bank of {scale:g}x", colour, **more))
    spoken = []
    for label, scores in steps:
        at = [f"{percent(score[0])} at {scale:g}x" for scale, score in sorted(scores.items())]
        spoken.append(f"{label} {', '.join(at)}")
    alt = f"Points of the memory score, right minus wrong bank, after each change: {'; '.join(spoken)}."
    style(figure, title, alt, "memory score, points", height=190 + 46 * len(steps))
    figure.update_xaxes(range=[-3, 100], zeroline=True, zerolinewidth=2, showgrid=True)
    ticks = {"tickvals": list(range(len(steps))), "ticktext": [label for label, _ in steps]}
    ends = [len(steps) - 0.5, -0.5]
    return figure.update_yaxes(range=ends, automargin=True, zeroline=False, **ticks)


def capacity(
    curves: Mapping[str, Sequence[dict]],
    title: str,
    paper: Mapping[str, Mapping[float, float]] | None = None,
) -> go.Figure:
    """Draw the memory score by the size of the bank, from 0 to 100 points, with 95% intervals.

    Args:
        curves: {name: lines as of `lmem.experiments.sweep.gather`, of growing scale}.
        title: The heading.
        paper: {name: {scale: mean recall rate, percent}}; grey, because it is another measure.
    """
    figure, spoken, ends = go.Figure(), [], []
    for place, (name, points) in enumerate(curves.items()):
        x, scores = [point["scale"] for point in points], [point["memory"] for point in points]
        colour, dash, symbol = LOOKS[place % len(LOOKS)]
        more = {
            "error_y": error_bars(scores),
            "mode": "lines+markers",
            "marker": {"symbol": symbol},
            "showlegend": False,
        }
        y = [percent(score["mean"]) for score in scores]
        figure.add_trace(line(x, y, name, colour, dash, 2, **more))
        ends.append((re.split("[ ,]", name)[0], math.log10(x[-1]), y[-1] or 0))
        at = [f"{value:.1f} at {scale:g}x" for scale, value in zip(x, y, strict=True)]
        spoken.append(f"{name} {', '.join(at)}")
    alt = (
        "Lines of the memory score in points of exact match by the size of the bank: "
        f"{'; '.join(spoken)}."
    )
    rates, spoken = dict(paper or {}), []
    for place, (name, found) in enumerate(rates.items()):
        look = {"mode": "lines+markers", "marker": PAPER_MARK, "showlegend": place == 0}
        look |= {"legendgroup": "paper", "hovertemplate": f"{name}: %{{y}}<extra></extra>"}
        named = "the paper's recall rates, %"
        figure.add_trace(line(found, found.values(), named, GREY, "dot", 1, **look))
        at = ", ".join(f"{rate} at {scale:g}x" for scale, rate in found.items())
        spoken.append(f"{name} {at}")
    if rates:
        alt += f" The paper's recall rates, percent: {'; '.join(spoken)}."
    style(figure, title, alt, "size of the bank (1x is 64 rows)", "memory score, points", 460)
    label_ends(figure, ends)
    drawn = {point["scale"] for points in curves.values() for point in points}
    drawn = drawn.union(*rates.values())
    scales = [scale for scale in TICKS if min(drawn) <= scale <= max(drawn)]
    ticks = {"tickvals": scales, "ticktext": [f"{scale:g}x" for scale in scales], "tickangle": 0}
    figure.update_xaxes(type="log", **ticks)
    return figure.update_yaxes(range=[-10, 100])


def losses(
    values: Sequence[float],
    title: str = "training loss",
    window: int = 25,
    checks: Sequence[tuple[int, float]] = (),
) -> go.Figure:
    """Draw a training curve, as the mean of every `window` steps, and the validation loss.

    Args:
        values: Loss of each step.
        title: The heading.
        window: Steps that are averaged.
        checks: (step, loss of other conversations) of each measurement.
    """
    starts = range(0, len(values), window)
    means = [float(np.mean(values[i : i + window])) for i in starts]
    steps = [min(len(values), i + window) for i in starts]
    curve = go.Scatter(x=steps, y=[round(mean, 3) for mean in means], line={"color": BLUE})
    alt = f"Training loss over {len(values)} steps, from {means[0]:.2f} to {means[-1]:.2f} nats per token."
    figure = go.Figure(curve)
    if checks:
        figure.update_traces(name="training", showlegend=True)
        x, y = [step for step, _ in checks], [round(loss, 3) for _, loss in checks]
        figure.add_trace(line(x, y, "validation", ORANGE, "dash", mode="lines+markers"))
        alt += f" Validation loss from {checks[0][1]:.2f} to {checks[-1][1]:.2f}."
    return style(figure, title, alt, "step", "loss, nats per token")
