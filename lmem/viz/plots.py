"""Figures, one pure function each: values in, plotly figure out. Values are rounded, so figures can be compared.

Every figure carries its text alternative in `layout.meta.alt`; colours are safe for colour-blind readers (Okabe and Ito).
"""

from html import escape

import numpy as np
import plotly.graph_objects as go

from lmem.errors import InputError

COLOURS = {
    "right": "#0072B2",
    "twin": "#D55E00",
    "other": "#E69F00",
    "none": "#56B4E9",
    "null_rows": "#CC79A7",
    "baseline": "#7f7f7f",
}
NAMES = {
    "right": "right bank",
    "twin": "twin's bank",
    "other": "another's bank",
    "none": "no bank",
    "null_rows": "null rows",
    "baseline": "bare backbone",
}
FRAMES = 40  # of a slider, at most


def style(figure, title, alt, x, y, height=380):
    """One look for all figures; axes named with their units, and the text alternative."""
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0.01, "font": {"size": 16}},
        height=height,
        margin={"l": 60, "r": 20, "t": 60, "b": 95},
        font={"family": "system-ui, sans-serif", "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        meta={"alt": alt},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
    figure.update_xaxes(title={"text": x, "standoff": 14}, automargin=True, showgrid=False)
    figure.update_yaxes(title=y, gridcolor="rgba(128,128,128,0.25)")
    return figure


def slide(figure, frames, labels, prefix, suffix="", shown=0):
    """Give a figure the traces of one frame, and a slider that puts those of another in their place; it needs no kernel.

    frames  list of lists of traces, equally many; a figure that has its traces already needs only what changes in them
    labels  a text for each frame, all different; the one that is shown stands between prefix and suffix
    shown   which frame is there at first
    """
    if not figure.data:
        figure.add_traces(frames[shown])
    figure.frames = [
        go.Frame(name=label, data=data, traces=list(range(len(data))))
        for label, data in zip(labels, frames, strict=True)
    ]
    now = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    steps = [{"label": label, "method": "animate", "args": [[label], now]} for label in labels]
    value = {"prefix": prefix, "suffix": suffix}
    slider = {"steps": steps, "active": shown, "currentvalue": value, "pad": {"t": 70}}
    return figure.update_layout(sliders=[slider])


def opened(kept):
    """Which frame of a bank's turns is there at first: one in the middle, where there is something to see."""
    return len(kept) // 2


def numbers(rows, title="The same in numbers"):
    """The small table behind a slider, for readers who cannot move it: HTML, folded.

    rows  list of {column: value}, all of the same columns
    """
    from IPython.display import HTML

    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row.values())}</tr>"
        for row in rows
    )
    return HTML(
        f"<details><summary>{escape(title)}</summary><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></details>"
    )


def bank_frames(banks, texts, columns=16):
    """What is in the bank after each turn: a heat map over rows and pooled columns, a slider over turns.

    banks    list of Bank, one bank each: before the first turn, then after every turn
    texts    the turns' texts, one less than banks
    columns  the width D is pooled to so many means
    """
    if len(banks) != len(texts) + 1:
        raise InputError(
            f"expected one bank before the first of {len(texts)} turns and one after each, got {len(banks)}"
        )
    step = -(-len(banks) // FRAMES)
    kept = list(range(0, len(banks), step))
    maps = [_pooled(banks[i], columns) for i in kept]
    top = max(float(np.abs(m).max()) for m in maps) or 1.0
    headings = ["before the first turn", *(short(text) for text in texts)]
    frames = [[_heat(m, banks[i], top)] for i, m in zip(kept, maps, strict=True)]
    alt = (
        f"Heat map of a bank with {len(maps[0])} rows, with a slider over {len(texts)} turns; "
        "rows fill with the turns' latents as the slider moves, and the oldest are pushed out."
    )
    shown = opened(kept)
    title = headings[kept[shown]]
    figure = style(
        go.Figure(), title, alt, "column of the bank (pooled)", "row of the bank", height=480
    )
    slide(figure, frames, [str(i) for i in kept], "turns written: ", shown=shown)
    for frame, i in zip(figure.frames, kept, strict=True):
        frame.layout = {"title": {"text": headings[i]}}
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    return figure


def _pooled(bank, columns):
    rows = bank.state.rows[0].detach().float().cpu().numpy()
    rows = np.where(bank.state.written[0].cpu().numpy()[:, None] >= 0, rows, 0.0)
    parts = np.array_split(rows, min(columns, rows.shape[1]), axis=1)
    return np.stack([part.mean(1) for part in parts], 1)


def _heat(values, bank, top):
    """One frame; a row's label says which turn it came from."""
    turns = bank.state.written[0].tolist()
    names = [f"row {r}, " + (f"turn {t + 1}" if t >= 0 else "empty") for r, t in enumerate(turns)]
    ends = {"tickvals": [-127, 0, 127], "ticktext": [f"{-top:.1f}", "0", f"{top:.1f}"]}
    return go.Heatmap(
        z=np.round(127 * values / top).astype(np.int8), y=names, zmin=-127, zmax=127,
        colorscale="RdBu", hovertemplate="%{y}, column %{x}<extra></extra>",
        colorbar={"title": {"text": "mean"}, "thickness": 12, **ends},
    )  # fmt: skip


def short(text, length=70):
    """A turn's text without its prefix, cut to so many characters."""
    text = text.removeprefix("context: ")
    return text if len(text) <= length else text[: length - 1] + "…"


def conditions(summary, title, measure="em"):
    """Scores of a result's conditions side by side, with their 95% intervals; `summary` of a result file."""
    names = [name for name in NAMES if name in summary["conditions"]]
    found = [summary["conditions"][name][measure] for name in names]
    figure = go.Figure(
        go.Bar(
            x=[NAMES[name] for name in names],
            y=[round(100 * f["mean"], 1) for f in found],
            error_y=intervals(found),
            marker_color=[COLOURS[name] for name in names],
        )
    )
    spoken = ", ".join(
        f"{NAMES[n]} {100 * f['mean']:.0f}" for n, f in zip(names, found, strict=True)
    )
    alt = f"Bars of {'exact match' if measure == 'em' else 'F1'} in percent: {spoken}."
    return style(
        figure,
        title,
        alt,
        "what the decoder reads",
        "exact match, %" if measure == "em" else "F1, %",
    )


def intervals(found, unit=100, digits=1):
    """Error bars of means with their intervals, {mean, low, high}; None where one has none."""
    if any(f["low"] is None for f in found):
        return None
    return {
        "type": "data",
        "array": [round(unit * (f["high"] - f["mean"]), digits) for f in found],
        "arrayminus": [round(unit * (f["mean"] - f["low"]), digits) for f in found],
        "symmetric": False,
    }
