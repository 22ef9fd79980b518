"""Looking into a bank, turn by turn: one figure for each kind of bank, all with a slider over turns (chapters 1, 6, 7 and 8).

    rows     a bank of rows: what is in it, and which turn each row is most of
    slots    the same, and how often each row was written
    square   a bank of associations: the matrix, its singular values, and which turns' keys are alike

Values are pooled and stored as bytes, so that a figure stays small.
"""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.viz.plots import COLOURS, FRAMES, opened, short, slide, style

SHOWN = 64  # rows that are drawn, at most; of a larger bank neighbours are put together
SIDE = 24  # cells of a drawn matrix
VALUES = 32  # singular values that are drawn


def rows(banks, texts, title, most=None, columns=16):
    """A heat map over rows and pooled columns; a slider over turns.

    banks    list of Bank, one bank each: before the first turn, then after every turn
    texts    the turns' texts, one less than banks
    most     (T + 1, R) the turn that a row holds most of, -1 for none, as `lmem.analysis.turn_trace` finds it; default: that which wrote it last
    columns  the width D is pooled to so many means
    """
    kept = _kept(banks, texts)
    top = _top(banks, kept, columns)
    frames = [[_heat(banks[i], _most(banks, most, i), texts, top, columns)] for i in kept]
    alt = (
        f"Heat map of a bank with {banks[0].state.rows.shape[1]} rows, with a slider over {len(texts)} turns. {_spoken(banks, texts)} "
        f"In the end its rows hold most of {_turns(_most(banks, most, -1))}."
    )
    figure = style(
        go.Figure(), title, alt, "column of the bank (pooled)", "row of the bank", height=560
    )
    figure.update_yaxes(autorange="reversed", showticklabels=False, ticks="", showgrid=False)
    figure.update_xaxes(showticklabels=False, ticks="")
    return _said(_slide(figure, frames, kept), kept, texts)


def slots(banks, texts, title, most=None, columns=16):
    """As `rows`, and beside each row how many turns were written into it."""
    kept = _kept(banks, texts)
    top, counts = _top(banks, kept, columns), bank_metrics.write_counts(banks)
    figure = make_subplots(rows=1, cols=2, column_widths=[0.7, 0.3], horizontal_spacing=0.04)
    frames = []
    for i in kept:
        heat = _heat(banks[i], _most(banks, most, i), texts, top, columns)
        groups = _groups(len(counts[i]))
        bars = go.Bar(
            x=[round(float(counts[i][g].double().mean()), 1) for g in groups], y=list(range(len(groups))), orientation="h",
            marker={"color": COLOURS["right"]}, hovertemplate="%{x} writes<extra></extra>",
        )  # fmt: skip
        frames.append([heat, bars])
    for place, trace in enumerate(frames[opened(kept)]):
        figure.add_trace(trace, row=1, col=place + 1)
    last = counts[-1]
    alt = (
        f"Heat map of a bank with {len(last)} slots and bars of how often each was written, with a slider over {len(texts)} turns. "
        f"{_spoken(banks, texts)} In the end {int((last > 0).sum())} of the slots were written, the busiest {int(last.max())} times."
    )
    style(figure, title, alt, None, None, height=560)
    figure.update_yaxes(autorange="reversed", showticklabels=False, ticks="", showgrid=False)
    figure.update_yaxes(title="slot", row=1, col=1)
    figure.update_yaxes(  # numbers: names that change from frame to frame stop plotly's bars
        range=[len(_groups(len(last))) - 0.5, -0.5], autorange=False, row=1, col=2
    )
    figure.update_xaxes(
        title="column (pooled)", showticklabels=False, ticks="", automargin=False, row=1, col=1
    )
    figure.update_xaxes(
        title={"text": "writes", "standoff": 2},
        range=[0, int(last.max()) + 1],
        nticks=4,
        automargin=False,
        row=1,
        col=2,
    )
    figure.update_layout(showlegend=False)
    return _said(_slide(figure, frames, kept), kept, texts)


def square(banks, texts, title, similarity):
    """A square bank: its matrix, pooled; which of the turns written so far have keys alike; its singular values. A slider over turns.

    similarity  (T, T) of `lmem.analysis.bank_metrics.key_similarity`
    """
    kept = _kept(banks, texts)
    pooled = {i: _square(banks[i]) for i in kept}
    top = max(float(one.max()) for one in pooled.values()) or 1.0
    figure = make_subplots(
        rows=2, cols=2, specs=[[{}, {}], [{"colspan": 2}, None]], vertical_spacing=0.2, horizontal_spacing=0.12,
        row_heights=[0.55, 0.45], subplot_titles=["size of the links", "turns' keys: cosine", "singular values, log scale"],
    )  # fmt: skip
    sizes = {i: torch.linalg.svdvals(banks[i].state.rows[0].double())[:VALUES] for i in kept}
    frames = []
    for i in kept:
        seen = similarity.clone()
        seen[i:] = seen[:, i:] = 0
        matrix = go.Heatmap(
            z=np.round(255 * pooled[i] / top).astype(np.uint8), zmin=0, zmax=255, colorscale="Cividis", showscale=False,
            hovertemplate="key %{y}, value %{x} (pooled): %{z} of 255<extra></extra>",
        )  # fmt: skip
        keys = go.Heatmap(
            z=(100 * seen).round().numpy().astype(np.int8), zmin=-100, zmax=100, colorscale="RdBu",
            x0=1, dx=1, y0=1, dy=1, hovertemplate="turns %{y} and %{x}: cosine %{z}%<extra></extra>",
            colorbar={
                "title": {"text": "cosine, %", "side": "bottom"}, "orientation": "h", "thickness": 10, "len": 1,
                "yref": "container", "y": 0, "yanchor": "bottom",
            },
        )  # fmt: skip
        found = [float(f"{float(size):.3g}") for size in sizes[i] if size > 1e-6 * sizes[i][0]]
        values = go.Scatter(
            x=list(range(1, len(found) + 1)), y=found, mode="markers", marker={"color": COLOURS["right"], "size": 7},
            hovertemplate="number %{x}: %{y}<extra></extra>",
        )  # fmt: skip
        frames.append([matrix, keys, values])
    for trace, (row, col) in zip(frames[opened(kept)], ((1, 1), (1, 2), (2, 1)), strict=True):
        figure.add_trace(trace, row=row, col=col)
    alike = similarity[~torch.eye(len(similarity), dtype=bool)]
    largest = max(float(size.max()) for size in sizes.values()) or 1.0
    alt = (
        f"A square bank with {banks[0].state.rows.shape[1]} rows, with a slider over {len(texts)} turns. {_spoken(banks, texts)} The "
        f"mean cosine between two turns' keys is {float(alike.mean()):.2f}."
    )
    style(figure, title, alt, None, None, height=760)
    figure.update_xaxes(automargin=False)
    for col, (x, y) in enumerate((("value (pooled)", "key (pooled)"), ("turn", "turn")), start=1):
        figure.update_xaxes(
            title={"text": x, "standoff": 4}, showticklabels=False, ticks="", row=1, col=col
        )
        figure.update_yaxes(
            title={"text": y, "standoff": 4}, autorange="reversed", showgrid=False, showticklabels=False, ticks="",
            row=1, col=col,
        )  # fmt: skip
    figure.update_xaxes(title="number", range=[0, VALUES + 1], row=2, col=1)
    power = float(np.log10(largest))
    figure.update_yaxes(
        title="size", type="log", range=[round(power - 3.2, 2), round(power + 0.2, 2)], dtick=1, row=2, col=1
    )  # fmt: skip
    for note in figure.layout.annotations:
        note.update(font_size=13)
    figure.update_layout(showlegend=False)
    _slide(figure, frames, kept)
    return _said(figure, kept, texts).update_layout(margin_t=110)


def table(banks, texts):
    """The numbers behind the slider: what each turn did to the bank."""
    found = []
    for bank, text in zip(banks[1:], texts, strict=True):
        one = bank_metrics.measure_bank(bank)
        found.append(
            {
                "turn": one["turns"],
                "text": short(text),
                "rows changed": round(one["changed"] * one["rows"]),
                "effective rank": f"{one['rank']:.1f}",
                "distinct rows": one["distinct"],
                "median norm": f"{one['middle']:.2f}",
            }
        )
    return found


def _kept(banks, texts):
    """Which banks become frames: all, or evenly spaced ones and the last."""
    if len(banks) != len(texts) + 1:
        raise InputError(
            f"expected one bank before the first of {len(texts)} turns and one after each, got {len(banks)}"
        )
    if any(len(bank) != 1 for bank in banks):
        raise InputError("expected one bank at a time, not a batch of them")
    return sorted({len(texts), *range(0, len(banks), -(-len(banks) // (FRAMES - 1)))})


def _groups(count):
    """Neighbouring rows that are drawn as one: index arrays, SHOWN of them at most."""
    return np.array_split(np.arange(count), min(count, SHOWN))


def _pooled(bank, columns):
    """(R', columns) means over groups of rows and of columns."""
    full = bank.state.rows[0].detach().double().cpu().numpy()
    merged = np.stack([full[g].mean(0) for g in _groups(len(full))])
    parts = np.array_split(merged, min(columns, merged.shape[1]), axis=1)
    return np.stack([part.mean(1) for part in parts], 1)


def _square(bank):
    """(SIDE, SIDE) root mean squares over blocks."""
    cells = np.square(bank.state.rows[0].detach().double().cpu().numpy())
    for axis in (0, 1):
        parts = np.array_split(cells, min(SIDE, cells.shape[axis]), axis=axis)
        cells = np.stack([part.mean(axis) for part in parts], axis)
    return np.sqrt(cells)


def _top(banks, kept, columns):
    return max(float(np.abs(_pooled(banks[i], columns)).max()) for i in kept) or 1.0


def _most(banks, most, i):
    return (banks[i].state.written[0] if most is None else most[i]).tolist()


def _heat(bank, most, texts, top, columns):
    """One frame; a row's label says how old it is, and which turn it holds most of."""
    ages = bank.age[0].tolist()
    names = [_row(g, ages, most, texts) for g in _groups(len(ages))]
    ends = {"tickvals": [-127, 0, 127], "ticktext": [f"{-top:.1f}", "0", f"{top:.1f}"]}
    return go.Heatmap(
        z=np.round(127 * _pooled(bank, columns) / top).astype(np.int8), y=names, zmin=-127, zmax=127,
        colorscale="RdBu", hovertemplate="%{y}<extra></extra>",
        colorbar={
            "title": {"text": "mean of the pooled numbers", "side": "bottom"}, "orientation": "h", "thickness": 10, "len": 1,
            "yref": "container", "y": 0, "yanchor": "bottom", **ends,
        },
    )  # fmt: skip


def _row(group, ages, most, texts):
    name = f"row {group[0]}" if len(group) == 1 else f"rows {group[0]} to {group[-1]}"
    written = [ages[r] for r in group if ages[r] >= 0]
    if not written:
        return f"{name}: never written"
    turns = [most[r] for r in group]
    turn = max(sorted(set(turns)), key=turns.count)
    held = f"turn {turn + 1}: {short(texts[turn], 28)}" if turn >= 0 else "the start"
    return f"{name}, age {min(written)}, most of it {held}"


def _slide(figure, frames, kept):
    return slide(figure, frames, [str(i) for i in kept], "turns written: ", shown=opened(kept))


def _said(figure, kept, texts):
    """Each frame says the turn that was written last, under the figure's title."""
    title = figure.layout.title.text
    headings = [
        f"turn {i}: {short(texts[i - 1], 46)}" if i else "before the first turn" for i in kept
    ]
    for frame, heading in zip(figure.frames, headings, strict=True):
        frame.layout = {"title": {"text": title, "subtitle": {"text": heading}}}
    return figure.update_layout(
        title_subtitle={"text": headings[opened(kept)], "font": {"size": 13}},
        margin={"t": 80, "b": 190},
    )


def _spoken(banks, texts):
    first, last = bank_metrics.measure_bank(banks[0]), bank_metrics.measure_bank(banks[-1])
    return (
        f"Its effective rank is {first['rank']:.0f} before the first turn and {last['rank']:.1f} after {len(texts)}; the median norm "
        f"of a row {first['middle']:.1f} and {last['middle']:.1f}."
    )


def _turns(most):
    found = sorted({turn for turn in most if turn >= 0})
    names = [str(turn + 1) for turn in found]
    if len(names) > 6:
        names = [*names[:3], "...", *names[-3:]]
    return ("turns " if len(found) > 1 else "turn ") + ", ".join(names) if found else "no turn"
