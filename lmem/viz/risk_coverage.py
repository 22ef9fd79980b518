"""The risk-coverage curve: how many answers are wrong if only the surest are given (chapter 12)."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import LOOKS
from lmem.viz.plots import label_ends, line, percent, style


def risk_coverage(
    curves: Mapping[str, Sequence[Mapping[str, float]]], title: str, points: int = 200
) -> go.Figure:
    """Draw the share of wrong answers against the share of questions that are answered.

    Args:
        curves: {name: points of `lmem.evaluation.abilities.risk_coverage`}.
        title: The heading.
        points: Points of a curve, at most; those left out lie between two that are drawn.

    Raises:
        InputError: A curve has no point.
    """
    if empty := [name for name, curve in curves.items() if not curve]:
        raise InputError(f"expected answers to draw a curve of, {', '.join(empty)} gave none")
    figure, spoken, ends = go.Figure(), [], []
    for place, (name, curve) in enumerate(curves.items()):
        step = max(1, len(curve) // points)
        shown = [*curve[step - 1 : -1 : step], curve[-1]]
        colour, dash, _ = LOOKS[place % len(LOOKS)]
        x, y = ([percent(point[key]) for point in shown] for key in ("coverage", "risk"))
        sure = [percent(point["confidence"]) for point in shown]
        hover = "%{y} % wrong of the %{x} % answered<br>confidence %{customdata} %<extra></extra>"
        figure.add_trace(line(x, y, name, colour, dash, 2, customdata=sure, hovertemplate=hover))
        ends.append((name, x[-1] or 0, y[-1] or 0))
        spoken.append(f"{name} ends at {y[-1]} % wrong with {x[-1]} % answered")
    alt = f"Lines of the share of wrong answers by the share of questions answered: {'; '.join(spoken)}."
    style(figure, title, alt, "questions that are answered, %", "wrong answers among them, %")
    figure.update_layout(showlegend=False)
    label_ends(figure, ends)
    figure.update_xaxes(range=[0, 100])
    return figure.update_yaxes(range=[0, 100])
