"""What a write keeps, by lag: the share of facts that a linear classifier reads from the bank alone (chapters 6 to 8).

The values are those of `lmem.analysis.kept_facts`, from result files of `lmem kept`.
"""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import GREY, LOOKS
from lmem.viz.plots import line, percent, style


def kept_by_lag(found: Mapping[str, Mapping[str, Any]], title: str) -> go.Figure:
    """Draw what one or several writes keep, the theory of superposition where a file has it, and chance.

    Args:
        found: {name: result of `lmem kept`}; the facts at the first position of each are drawn.
        title: The heading.

    Raises:
        InputError: There is no result.
    """
    if not found:
        raise InputError("expected at least one result of lmem kept, got none")
    curves: dict[str, Mapping[str, float]] = {}
    for name, result in found.items():
        curves[name] = next(iter(result["facts"].values()))
        if "superposition" in result:
            curves[f"{name}, theory"] = next(iter(result["superposition"].values()))
    figure, spoken = go.Figure(), []
    for place, (name, shares) in enumerate(curves.items()):
        colour, dash, symbol = LOOKS[place % len(LOOKS)]
        values = [percent(share) for share in shares.values()]
        look = {"mode": "lines+markers", "marker": {"symbol": symbol}}
        figure.add_trace(line(shares, values, name, colour, dash, 2, **look))
        at = [f"{value:g} at lag {lag}" for lag, value in zip(shares, values, strict=True)]
        spoken.append(f"{name} {', '.join(at)}")
    lags = list(next(iter(curves.values())))
    chance = percent(next(iter(found.values()))["chance"])
    figure.add_trace(line([lags[0], lags[-1]], [chance] * 2, "chance", GREY, "dot", 1))
    alt = f"Lines of the towns named in percent: {'; '.join(spoken)}; chance {chance:g}."
    style(figure, title, alt, "lag in turns", "towns named, %", 360)
    figure.update_xaxes(type="category")
    return figure.update_yaxes(range=[-3, 103])
