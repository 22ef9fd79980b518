"""Steps that are too small for their number format (chapter 9): how far a bfloat16 weight gets with steps of one size.

A bfloat16 number keeps 8 bits of its mantissa: between 2^e and 2^(e+1) numbers lie 2^(e-7) apart. A step of less than half of that
is rounded away, each time anew, however many of them there are.
"""

import plotly.graph_objects as go
import torch

from lmem.viz.plots import COLOURS, slide, style

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 1e-2)
EXPONENTS = tuple(range(-12, 2))


def moved(rates=RATES, exponents=EXPONENTS, steps=100):
    """Take `steps` steps of one size off a weight, in bfloat16 and in float32.

    rates      sizes of a step
    exponents  weights are 1.5 * 2^e, in the middle between two powers of two
    returns    rows {rate, exponent, weight, bf16, fp32 (percent of the way that was to go)}
    """
    rows = []
    for rate in rates:
        for exponent in exponents:
            start = 1.5 * 2.0**exponent
            row = {"rate": rate, "exponent": exponent, "weight": start}
            for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
                weight = torch.tensor(start, dtype=kind)
                for _ in range(steps):
                    weight = weight - rate
                row[name] = round(100 * (start - weight.item()) / (steps * rate))
            rows.append(row)
    return rows


def draw_moved(rows, steps=100):
    """Lines of the way that a weight really goes, over its size; a slider over the size of a step."""
    rates = sorted({row["rate"] for row in rows})
    top = max(max(row["bf16"], row["fp32"]) for row in rows)
    frames = []
    for rate in rates:
        here = [row for row in rows if row["rate"] == rate]
        frames.append(
            [
                go.Scatter(
                    x=[row["exponent"] + 0.5 for row in here], y=[row[key] for row in here], mode="lines+markers", name=name,
                    line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 8},
                )
                for key, name, colour, dash, symbol in (
                    ("fp32", "float32", COLOURS["right"], "dash", "circle-open"),
                    ("bf16", "bfloat16", COLOURS["twin"], "solid", "square"),
                )
            ]
        )  # fmt: skip
    alt = (
        f"Lines of how far a weight gets in {steps} steps, in percent of what was to go, over the size of the weight, for float32 and "
        "bfloat16, with a slider over the size of a step. float32 goes all the way at any size. bfloat16 stops dead above a size that "
        "grows with the step: at 1e-4 no weight above 2 to the power of -5 moves."
    )
    figure = style(
        go.Figure(), f"How far {steps} steps get", alt, "size of the weight", "of the way, %", 500
    )
    ticks = [e for e in sorted({row["exponent"] for row in rows}) if e % 2 == 0]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"2<sup>{e}</sup>" for e in ticks])
    figure.update_yaxes(range=[-8, top + 10])
    return slide(
        figure, frames, [f"{rate:g}" for rate in rates], "size of a step: ", shown=rates.index(1e-4) if 1e-4 in rates else 0
    )  # fmt: skip
