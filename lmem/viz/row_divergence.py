"""Do the rows of an attention-coupled bank converge, or does one of them dominate? Their distance by turn (chapter 6)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import BLUE, GREY, ORANGE
from lmem.viz.plots import add_slider, line, significant, style

CONVERGE, DIVERGE = BLUE, ORANGE
Groups = Mapping[str, Sequence[Mapping[str, Any]]]


def row_divergence(groups: Groups, title: str, prefix: str) -> go.Figure:
    """Draw the rows' distance from their mean by turn, measured and predicted, with a slider over groups.

    Args:
        groups: {label: list of {"gain", "turns", "measured", "predicted"}}, one for each seed, from 0, equally many
            in each group. `gain` is lambda, `lmem.analysis.mean_field.gain`. `turns`, from 0 on, are the numbers of turns after
            which the distances were measured. Distances are drawn relative to the one at the start.
        title: The heading.
        prefix: What the labels are, before the slider's value.

    Raises:
        InputError: The groups are not of equal size.
    """
    sizes = {len(seeds) for seeds in groups.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(
            f"expected groups of equally many seeds, at least one, not {sorted(sizes)}"
        )
    frames, distances = [], []
    for seeds in groups.values():
        lines = []
        for i, seed in enumerate(seeds):
            lines += [_line(seed, "measured", i), _line(seed, "predicted", i)]
            distances += _relative(seed, "measured")
        frames.append(lines)
    figure = go.Figure(frames[0])
    y = "distance, times that at the start"
    style(figure, title, _alt(groups), "turns written", y, 560, b=190)
    for name, colour, dash in (
        ("predicted to grow: lambda above 1", DIVERGE, "solid"),
        ("predicted to shrink", CONVERGE, "solid"),
        ("prediction, linear theory", GREY, "dot"),
    ):
        figure.add_trace(line([None], [None], name, colour, dash, 2))
    ends = [math.log10(min(distances)) - 0.3, math.log10(max(distances)) + 0.5]
    figure.update_yaxes(type="log", dtick=1, range=[round(end, 2) for end in ends])
    return add_slider(figure, frames, list(groups), prefix)


def divergence_rows(groups: Groups) -> list[dict]:
    """List the numbers behind `row_divergence`, a row for each seed."""
    rows = []
    for label, seeds in groups.items():
        for i, seed in enumerate(seeds):
            end = "distance in the end, times that at the start"
            row = {"bank": label, "seed": i, "lambda": f"{seed['gain']:.3f}"}
            row[end] = f"{_relative(seed, 'measured')[-1]:.3g}"
            rows.append(row | {"predicted": f"{_relative(seed, 'predicted')[-1]:.3g}"})
    return rows


def _line(seed: Mapping[str, Any], key: str, i: int) -> go.Scatter:
    colour, dash = DIVERGE if seed["gain"] > 1 else CONVERGE, "solid"
    if key == "predicted":
        colour, dash = GREY, "dot"
    name = f"seed {i}, {key}, lambda {seed['gain']:.2f}"
    hover = f"{name}<br>after %{{x}} turns: %{{y}} times<extra></extra>"
    y = _relative(seed, key)
    return line(seed["turns"], y, None, colour, dash, 2, showlegend=False, hovertemplate=hover)


def _relative(seed: Mapping[str, Any], key: str) -> list[float]:
    """Distances divided by the first one."""
    return [significant(value / seed[key][0]) for value in seed[key]]


def _alt(groups: Groups) -> str:
    parts = []
    for label, seeds in groups.items():
        grow = sum(seed["gain"] > 1 for seed in seeds)
        last = [_relative(seed, "measured")[-1] for seed in seeds]
        ends = f"in the end {min(last):.2g} to {max(last):.2g} times"
        parts.append(f"{label}: {grow} of {len(seeds)} predicted to grow; {ends}")
    return (
        "Lines of how far rows lie from their mean row, over the start, by turn, with a slider over banks. "
        f"{'; '.join(parts)}. Dotted lines are the prediction."
    )
