"""Steps that are too small for their number format: how far a bfloat16 weight moves with steps of one size (chapter 9).

A bfloat16 number keeps 8 bits of its mantissa: between 2^e and 2^(e+1) the numbers are 2^(e-7) apart. A step of less than
half of that is rounded away every time, however many steps there are.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
import torch

from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.plots import add_slider, column, grouped, line, style

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 1e-2)
EXPONENTS, STEPS = tuple(range(-12, 2)), 100
FORMATS = (
    ("fp32", "float32", BLUE, "dash", "circle-open"),
    ("bf16", "bfloat16", ORANGE, "solid", "square"),
)


def weight_steps(rates: Sequence[float] = RATES) -> list[dict]:
    """Subtract STEPS steps of one size from weights 1.5 * 2^e, in the middle between two powers of two, in bfloat16 and float32.

    Args:
        rates: Sizes of a step.

    Returns:
        Rows {rate, exponent, weight, bf16, fp32}; the last two are how far the weight moved, in percent of
        STEPS * rate.
    """
    rows = []
    for rate in rates:
        for exponent in EXPONENTS:
            start = 1.5 * 2.0**exponent
            row = {"rate": rate, "exponent": exponent, "weight": start}
            for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
                weight = torch.tensor(start, dtype=dtype)
                for _ in range(STEPS):
                    weight = weight - rate
                row[name] = round(100 * (start - weight.item()) / (STEPS * rate))
            rows.append(row)
    return rows


def draw_weight_steps(rows: Sequence[dict]) -> go.Figure:
    """Draw how far weights of each size move, with a slider over the size of a step; rows of `weight_steps`."""
    by_rate = grouped(rows, "rate")
    frames = []
    for here in by_rate.values():
        x = [exponent + 0.5 for exponent in column(here, "exponent")]
        lines = []
        for key, name, colour, dash, symbol in FORMATS:
            marker = {"symbol": symbol, "size": 8}
            y = column(here, key)
            lines.append(line(x, y, name, colour, dash, mode="lines+markers", marker=marker))
        frames.append(lines)
    alt = (
        f"Lines of how far a weight gets in {STEPS} steps, in percent of the way, over the size of the weight, with a slider over the size of a step. "
        "float32 goes all the way at any size. bfloat16 does not move above a size that grows with the step: "
        "at 1e-4 no weight above 2 to the power of -5 moves."
    )
    title = "In bfloat16, large weights stop moving"
    figure = style(go.Figure(), title, alt, "size of the weight", "of the way, %", 500)
    ticks = [e for e in sorted(grouped(rows, "exponent")) if e % 2 == 0]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"2<sup>{e}</sup>" for e in ticks])
    top = max(max(row["bf16"], row["fp32"]) for row in rows)
    figure.update_yaxes(range=[-8, top + 10])
    shown = list(by_rate).index(1e-4) if 1e-4 in by_rate else 0
    labels = [f"{rate:g}" for rate in by_rate]
    return add_slider(figure, frames, labels, "size of a step: ", shown=shown)
