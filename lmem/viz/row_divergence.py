"""Do the rows of an attention-coupled bank meet, or does one of them take all: how far apart they are, by turn (chapter 6)."""

import math

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.plots import COLOURS, slide, style

MEET, TAKE = COLOURS["right"], COLOURS["twin"]


def fates(groups, title, prefix):
    """Distance of the rows from their mean, over that at the start, by turn: measured and predicted, a line for each drawing.

    groups  {label: list of {"gain", "turns", "measured", "predicted"}}, equally many in each; a slider over the labels. gain is
            `lmem.analysis.mean_field.gain`; turns, from 0 on, are the numbers of turns after which the distances were taken
    prefix  what the labels are, before the slider's value
    raises  InputError if the groups are not of equal size
    """
    sizes = {len(lines) for lines in groups.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(
            f"expected groups of equally many drawings, at least one, not {sorted(sizes)}"
        )
    frames = [
        [
            trace
            for i, line in enumerate(lines)
            for trace in (_line(line, "measured", i), _line(line, "predicted", i))
        ]
        for lines in groups.values()
    ]
    every = [
        value for lines in groups.values() for line in lines for value in _over(line, "measured")
    ]
    figure = style(
        go.Figure(),
        title,
        _spoken(groups),
        "turns written",
        "distance, times that at the start",
        560,
    )
    figure.add_traces(frames[0])
    for name, colour, dash in (
        ("predicted to grow: gain above 1", TAKE, "solid"),
        ("predicted to shrink", MEET, "solid"),
        ("prediction, first order", COLOURS["baseline"], "dot"),
    ):
        figure.add_scatter(
            x=[None], y=[None], mode="lines", name=name, line={"color": colour, "dash": dash, "width": 2}
        )  # fmt: skip
    ends = [math.log10(min(every)) - 0.3, math.log10(max(every)) + 0.5]
    figure.update_yaxes(type="log", dtick=1, range=[round(end, 2) for end in ends])
    figure.update_layout(margin_b=190)
    return slide(figure, frames, list(groups), prefix)


def fate_rows(groups):
    """The table behind it: a row for each drawing."""
    return [
        {
            "bank": label, "drawing": i, "gain per turn": f"{line['gain']:.3f}",
            "distance in the end, times that at the start": f"{_over(line, 'measured')[-1]:.3g}",
            "predicted": f"{_over(line, 'predicted')[-1]:.3g}",
        }
        for label, lines in groups.items()
        for i, line in enumerate(lines)
    ]  # fmt: skip


def _line(line, key, i):
    measured = key == "measured"
    colour = TAKE if line["gain"] > 1 else MEET
    return go.Scatter(
        x=line["turns"], y=_over(line, key), mode="lines", showlegend=False,
        line={"color": colour if measured else COLOURS["baseline"], "dash": "solid" if measured else "dot", "width": 2},
        hovertemplate=f"drawing {i}, {key}, gain {line['gain']:.2f}<br>after %{{x}} turns: %{{y}} times<extra></extra>",
    )  # fmt: skip


def _over(line, key):
    """Distances over the first one, three digits."""
    return [float(f"{value / line[key][0]:.3g}") for value in line[key]]


def _spoken(groups):
    said = []
    for label, lines in groups.items():
        grow = sum(line["gain"] > 1 for line in lines)
        last = [_over(line, "measured")[-1] for line in lines]
        said.append(
            f"{label}: {grow} of {len(lines)} predicted to grow; in the end {min(last):.2g} to {max(last):.2g} times"
        )
    return (
        "Lines of how far rows lie from their mean row, over the start, by turn, with a slider over banks. "
        f"{'; '.join(said)}. Dotted lines are the prediction."
    )
