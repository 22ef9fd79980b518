"""Crosstalk of two facts in one matrix: what each key recalls, by how similar the keys are (chapter 7).

    Hebbian   M = k1 v1^T + k2 v2^T                      k1 recalls v1 + c v2            k2 recalls v2 + c v1
    delta     M = k1 v1^T + k2 (v2 - c v1)^T             k1 recalls (1 - c^2) v1 + c v2  k2 recalls v2

The keys have length 1 and cosine c. The values have length 1 and are orthogonal. The delta rule has strength 1. Fact 2 is
written last.
"""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from lmem.viz.colours import COLOURS
from lmem.viz.plots import add_slider, grouped, style

VALUES = (
    ("v1", "value of fact 1, told first", COLOURS["right"], ""),
    ("v2", "value of fact 2, told last", COLOURS["other"], "/"),
)


TENTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def two_facts(cosines: Iterable[float] = TENTHS) -> list[dict]:
    """Compute how much of both values each key recalls.

    Returns:
        Rows {cosine, rule, asked (which key), v1, v2 (shares of the values in what is recalled)}.
    """
    rows = []
    for c in cosines:
        for rule, asked, v1, v2 in (
            ("Hebbian", 1, 1.0, c),
            ("Hebbian", 2, c, 1.0),
            ("delta", 1, 1 - c * c, c),
            ("delta", 2, 0.0, 1.0),
        ):
            shares = {"v1": round(v1, 3), "v2": round(v2, 3)}
            rows.append({"cosine": c, "rule": rule, "asked": asked} | shares)
    return rows


def draw_two_facts(rows: Sequence[dict]) -> go.Figure:
    """Draw both values in what each key recalls as bars, with a slider over the keys' cosine; rows of `two_facts`."""
    by_cosine = grouped(rows, "cosine")
    frames = []
    for here in by_cosine.values():
        labels = [f"{row['rule']},<br>key {row['asked']}" for row in here]
        bars = []
        for key, name, colour, shape in VALUES:
            look = {"color": colour, "pattern": {"shape": shape}}
            bars.append(go.Bar(x=labels, y=[row[key] for row in here], name=name, marker=look))
        frames.append(bars)
    alt = (
        "Bars of how much of two values each key recalls, for the Hebbian and the delta rule, with a slider over the cosine of the keys. "
        "At 0 both rules recall each value alone. As the keys become alike, the Hebbian rule recalls both values with either key; the delta "
        "rule recalls with the second key the second value alone, and at 1 with either."
    )
    title = "Alike keys mix facts; the delta rule keeps the last"
    x, y = "rule, and which key asks", "share of the value"
    figure = style(go.Figure(), title, alt, x, y, 500)
    figure.update_yaxes(range=[0, 1.05])
    figure.update_xaxes(tickangle=0)
    figure.update_layout(barmode="group")
    labels = [f"{c:.1f}" for c in by_cosine]
    return add_slider(figure, frames, labels, "cosine of the keys: ", shown=len(labels) // 2)
