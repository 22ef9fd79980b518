"""What many rows cost, drawn: milliseconds, memory and answers by the rows of a bank, from `lmem bench rows` (chapter 15)."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.viz.plots import style

WAYS = {
    "whole": ("whole: keys and values of all rows", "#D55E00", "square"),
    "chunks": ("exact, in chunks", "#0072B2", "circle"),
    "top-k": ("the k best of an index", "#009E73", "diamond"),
}
PANELS = (("ms", "one question, ms"), ("mib", "memory, MiB"), ("em", "exact match, %"))


def rows(result, title="One question by the rows of the bank"):
    """Three panels, one below the other, over the rows' logarithm: time, memory, exact match with its interval.

    result  of `lmem bench rows`
    raises  InputError for another result
    """
    if result.get("what") != "rows":
        raise InputError("expected a result of `lmem bench rows`")
    found = result["by_rows"]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for way, (name, colour, symbol) in WAYS.items():
        mine = [row for row in found if row["way"] == way]
        if not mine:
            continue
        for panel, (measure, _) in enumerate(PANELS, 1):
            points, bars = _values(mine, measure)
            figure.add_scatter(
                x=[row["rows"] for row in mine], y=points, error_y=bars, name=name, legendgroup=way,
                showlegend=panel == 1, mode="lines+markers", row=panel, col=1,
                line={"color": colour}, marker={"symbol": symbol, "size": 8},
            )  # fmt: skip
    figure.add_vline(x=result["newest_rows"], line={"dash": "dot", "color": "#7f7f7f", "width": 1})
    style(figure, title, _alt(result), None, None, 760)
    figure.update_xaxes(type="log", tickvals=[10**i for i in range(2, 7)])
    figure.update_xaxes(title="rows of the bank", row=3, col=1)
    for panel, (measure, text) in enumerate(PANELS, 1):
        figure.update_yaxes(title=text, row=panel, col=1)
        figure.update_yaxes(type="linear" if measure == "em" else "log", row=panel, col=1)
    figure.update_yaxes(range=[0, 100], row=3, col=1)
    return figure


def _values(mine, measure):
    if measure != "em":
        return [row[measure] for row in mine], None
    found = [row["em"] for row in mine]
    bars = {
        "type": "data",
        "array": [round(100 * (f["high"] - f["mean"]), 1) for f in found],
        "arrayminus": [round(100 * (f["mean"] - f["low"]), 1) for f in found],
        "symmetric": False,
    }
    return [round(100 * f["mean"], 1) for f in found], bars


def _alt(result):
    parts = []
    for way, (name, *_) in WAYS.items():
        mine = [row for row in result["by_rows"] if row["way"] == way]
        if mine:
            first, last = mine[0], mine[-1]
            parts.append(
                f"{name}: {first['rows']} rows {first['ms']:.0f} ms and {100 * first['em']['mean']:.0f} percent right, "
                f"{last['rows']} rows {last['ms']:.0f} ms and {100 * last['em']['mean']:.0f} percent"
            )
    return f"Time, memory and exact match by rows of the bank. {'; '.join(parts)}."


def table(result):
    """The same in numbers: list of {column: value}, for `lmem.viz.plots.numbers`."""
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


def slots_table(result):
    """The writes of slots in numbers, likewise."""
    return [
        {
            "rows": f"{row['rows']:,}",
            "way": row["way"],
            "ms": f"{row['ms']:.2f}",
            "same rows, %": f"{100 * row['same']:.0f}",
        }
        for row in result["slots"]
    ]


def slots(result, title="One write of slots by the rows of the bank"):
    """M.6's write: milliseconds where every row is scored and copied, and where an index finds the rows."""
    figure = go.Figure()
    ways = {"whole": ("every row", "#D55E00"), "index": ("through an index", "#009E73")}
    for way, (name, colour) in ways.items():
        mine = [row for row in result["slots"] if row["way"] == way]
        figure.add_scatter(
            x=[row["rows"] for row in mine], y=[row["ms"] for row in mine], name=name,
            mode="lines+markers", line={"color": colour},
        )  # fmt: skip
    kept = [row for row in result["slots"] if row["way"] == "index"]
    spoken = ", ".join(f"{row['rows']} rows {100 * row['same']:.0f}" for row in kept)
    alt = f"Milliseconds of one write by rows; percent of the rows that the exact rule would choose: {spoken}."
    style(figure, title, alt, "rows of the bank", "one write, ms")
    return figure.update_xaxes(type="log").update_yaxes(type="log")
