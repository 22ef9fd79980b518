"""What a write and a read cost by the number of the bank's rows, from `lmem bench write` (chapters 9 and 13)."""

from collections.abc import Sequence

import plotly.graph_objects as go

from lmem.viz.colours import COLOURS, GREEN, GREY
from lmem.viz.plots import column, grouped, line, significant, style


def write_and_read_cost(by_rows: Sequence[dict], bare: float, title: str) -> go.Figure:
    """Draw the milliseconds of a write and of a read by the bank's rows, both axes logarithmic.

    Args:
        by_rows: Rows of `lmem bench write`: {kind ("write" or "read"), name, rows, ms}.
        bare: Milliseconds of the same question without a bank.
        title: The heading.
    """
    figure, colours, spoken = go.Figure(), [*COLOURS.values(), GREEN], []
    lines = grouped([row | {"line": f"{row['kind']} {row['name']}"} for row in by_rows], "line")
    for place, (name, rows) in enumerate(lines.items()):
        x, y = column(rows, "rows"), [significant(ms) for ms in column(rows, "ms")]
        look = colours[place % len(colours)], "solid" if rows[0]["kind"] == "read" else "dot"
        figure.add_trace(line(x, y, name, *look, mode="lines+markers"))
        spoken.append(f"{name} {y[0]:.3g} at {x[0]} rows, {y[-1]:.3g} at {x[-1]}")
    sizes = sorted(grouped(by_rows, "rows"))
    ends, level = [sizes[0], sizes[-1]], [significant(bare)] * 2
    figure.add_trace(line(ends, level, "a question without a bank", GREY, "dash"))
    alt = (
        f"Lines of the milliseconds of a write and a read by the bank's rows: {'; '.join(spoken)}; "
        f"without a bank {bare:.3g}."
    )
    style(figure, title, alt, "rows of the bank", "milliseconds", height=560)
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return figure.update_yaxes(type="log")
