"""What a bank costs by the number of its rows: milliseconds, memory and answers, from `lmem bench` (chapters 9 and 13, page "At full size")."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.viz.colours import BLUE, COLOURS, GREEN, GREY, ORANGE
from lmem.viz.plots import column, error_bars, grouped, line, percent, significant, style

WAYS = {
    "whole": ("whole: keys and values of all rows", ORANGE, "square"),
    "chunks": ("exact, in chunks", BLUE, "circle"),
    "top-k": ("the k best of an index", GREEN, "diamond"),
}
PANELS = (("ms", "one question, ms"), ("mib", "memory, MiB"), ("em", "exact match, %"))
SLOT_WRITES = {"whole": ("every row", ORANGE), "index": ("through an index", GREEN)}


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


def large_bank_cost(result: dict, title: str = "One question by the rows of the bank") -> go.Figure:
    """Draw time, memory and exact match with its interval, below each other, by the number of rows on a log scale.

    Args:
        result: Of `lmem bench rows`.
        title: The heading.

    Raises:
        InputError: It is another result.
    """
    if result.get("what") != "rows":
        raise InputError("expected a result of `lmem bench rows`")
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.06)
    by_way, spoken = grouped(result["by_rows"], "way"), []
    for way, (name, colour, symbol) in WAYS.items():
        if way not in by_way:
            continue
        rows = by_way[way]
        more = {"legendgroup": way, "marker": {"symbol": symbol, "size": 8}}
        for panel, (measure, _) in enumerate(PANELS, 1):
            y, bars = column(rows, measure), None
            if measure == "em":
                bars, y = error_bars(y), [percent(score["mean"]) for score in y]
            more |= {"mode": "lines+markers", "error_y": bars, "showlegend": panel == 1}
            trace = line(column(rows, "rows"), y, name, colour, **more)
            figure.add_trace(trace, row=panel, col=1)
        first, last = (
            (row["rows"], f"{row['ms']:.0f} ms", f"{100 * row['em']['mean']:.0f} percent")
            for row in (rows[0], rows[-1])
        )
        spoken.append(
            f"{name}: {first[0]} rows {first[1]} and {first[2]} right, {last[0]} rows {last[1]} and {last[2]}"
        )
    figure.add_vline(x=result["newest_rows"], line={"dash": "dot", "color": GREY, "width": 1})
    alt = f"Time, memory and exact match by rows of the bank. {'; '.join(spoken)}."
    style(figure, title, alt, height=760)
    figure.update_xaxes(type="log", tickvals=[10**i for i in range(2, 7)])
    figure.update_xaxes(title="rows of the bank", row=3, col=1)
    for panel, (measure, text) in enumerate(PANELS, 1):
        scale = "linear" if measure == "em" else "log"
        figure.update_yaxes(title=text, type=scale, row=panel, col=1)
    return figure.update_yaxes(range=[0, 100], row=3, col=1)


def large_bank_rows(result: dict) -> list[dict]:
    """List the numbers behind `large_bank_cost`."""
    return [
        {
            "rows": f"{row['rows']:,}",
            "way": row["way"],
            "ms": f"{row['ms']:.1f}",
            "MiB": f"{row['mib']:.1f}",
            "exact match, %": f"{100 * row['em']['mean']:.0f}",
            "same answers, %": f"{100 * row['same']:.0f}",
            "recall, %": f"{100 * row['recall']:.0f}" if "recall" in row else "-",
        }
        for row in result["by_rows"]
    ]


def slot_write_cost(
    result: dict, title: str = "One write of slots by the rows of the bank"
) -> go.Figure:
    """Draw the milliseconds of M.6's write, if every row is scored and copied, and if an index finds the rows."""
    figure, by_way = go.Figure(), grouped(result["slots"], "way")
    for way, (name, colour) in SLOT_WRITES.items():
        rows = by_way[way]
        x, y = column(rows, "rows"), column(rows, "ms")
        figure.add_trace(line(x, y, name, colour, mode="lines+markers"))
    same = ", ".join(f"{row['rows']} rows {100 * row['same']:.0f}" for row in by_way["index"])
    alt = f"Milliseconds of one write by rows; percent of the rows that the exact rule would choose: {same}."
    style(figure, title, alt, "rows of the bank", "one write, ms")
    return figure.update_xaxes(type="log").update_yaxes(type="log")


def slot_write_rows(result: dict) -> list[dict]:
    """List the numbers behind `slot_write_cost`."""
    return [
        {
            "rows": f"{row['rows']:,}",
            "way": row["way"],
            "ms": f"{row['ms']:.2f}",
            "same rows, %": f"{100 * row['same']:.0f}",
        }
        for row in result["slots"]
    ]
