"""Looking into a bank turn by turn: a figure for each kind of bank, all with a slider over turns (chapters 1, 6, 7 and 8).

    plain_rows   a small bank of rows, each drawn by itself
    rows         a bank of rows: what is in it, and which turn each row holds most of
    slots        the same, and how often each row was written
    square       a bank of associations: the matrix, its singular values, and which turns have similar keys

Values are pooled and stored as bytes, so that a figure stays small.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.viz.colours import BLUE, SIGNED
from lmem.viz.plots import (
    FRAMES,
    add_slider,
    colour_bar,
    cosine_bar,
    hide_ticks,
    shorten,
    significant,
    style,
)

SHOWN = 64  # rows that are drawn at most; of a larger bank neighbours are averaged
SIDE = 24  # cells of a drawn matrix
VALUES = 32  # singular values that are drawn
SLIDER = "turns written: "
Banks = Sequence[Bank]  # one bank each: before the first turn, then after every turn


def plain_rows(banks: Banks, texts: Sequence[str], columns: int = 16) -> go.Figure:
    """Draw every row of a bank as a heat map over pooled columns, with a slider over turns.

    Args:
        banks: One bank each: before the first turn, then after every turn.
        texts: The turns' texts, one less than banks.
        columns: The width D is pooled to so many means.

    Raises:
        InputError: The numbers of banks and texts do not fit.
    """
    _check(banks, texts)
    kept = list(range(0, len(banks), -(-len(banks) // FRAMES)))
    maps = []
    for i in kept:
        written = banks[i].state.written[0].cpu().numpy()[:, None] >= 0
        full = banks[i].state.rows[0].detach().float().cpu().numpy()
        maps.append(_pool(np.where(written, full, 0.0), columns, axis=1))
    top, frames = _largest(maps), []
    scale = {"title": {"text": "mean"}, "thickness": 12}
    for i, values in zip(kept, maps, strict=True):
        turns = [f"turn {t + 1}" if t >= 0 else "empty" for t in banks[i].state.written[0].tolist()]
        names = [f"row {r}, {turn}" for r, turn in enumerate(turns)]
        hover = "%{y}, column %{x}<extra></extra>"
        frames.append([_heat(values, names, top, scale, hover)])
    alt = (
        f"Heat map of a bank with {len(maps[0])} rows, with a slider over {len(texts)} turns; "
        "rows fill with the turns' latents as the slider moves, and the oldest are pushed out."
    )
    titles = ["before the first turn", *(shorten(text) for text in texts)]
    titles, shown = [titles[i] for i in kept], len(kept) // 2
    x, y = "column of the bank (pooled)", "row of the bank"
    figure = style(go.Figure(), titles[shown], alt, x, y, height=480)
    add_slider(figure, frames, [str(i) for i in kept], SLIDER, shown=shown)
    drawn: Any = figure.frames
    for frame, title in zip(drawn, titles, strict=True):
        frame.layout = {"title": {"text": title}}
    ticks = list(range(0, len(maps[0]), -(-len(maps[0]) // 8)))  # places: the names of rows change
    return figure.update_yaxes(autorange="reversed", tickvals=ticks, ticktext=list(map(str, ticks)))


def rows(
    banks: Banks, texts: Sequence[str], title: str, most: Tensor | None = None, columns: int = 16
) -> go.Figure:
    """Draw a bank of rows as a heat map over rows and pooled columns, with a slider over turns.

    Args:
        banks: One bank each: before the first turn, then after every turn.
        texts: The turns' texts, one less than banks.
        title: The heading.
        most: (T + 1, R), the turn that a row holds most of, -1 for none, as `lmem.analysis.turn_trace` finds it;
            default: the turn that wrote it last.
        columns: The width D is pooled to so many means.

    Raises:
        InputError: The numbers of banks and texts do not fit, or a bank is a batch.
    """
    kept = _kept(banks, texts)
    frames = [[heat] for heat in _heats(banks, texts, kept, most, columns)]
    alt = (
        f"Heat map of a bank with {banks[0].state.rows.shape[1]} rows, with a slider over {len(texts)} turns. {_ranks(banks, texts)} "
        f"In the end its rows hold most of {_turns(_most(banks, most, -1))}."
    )
    figure = go.Figure(frames[len(kept) // 2])
    x, y = "column of the bank (pooled)", "row of the bank"
    style(figure, title, alt, x, y, height=560, t=80, b=190)
    hide_ticks(figure)
    return _over_turns(figure, frames, kept, texts)


def slots(
    banks: Banks, texts: Sequence[str], title: str, most: Tensor | None = None, columns: int = 16
) -> go.Figure:
    """Draw a bank as `rows` does, and next to each row how many turns were written into it."""
    kept = _kept(banks, texts)
    counts = bank_metrics.write_counts(banks)
    groups, last = _groups(counts.shape[1]), counts[-1]
    look = {"orientation": "h", "marker": {"color": BLUE}}
    look["hovertemplate"] = "%{x} writes<extra></extra>"
    frames = []
    for i, heat in zip(kept, _heats(banks, texts, kept, most, columns), strict=True):
        means = [round(float(counts[i][group].double().mean()), 1) for group in groups]
        frames.append([heat, go.Bar(x=means, y=list(range(len(groups))), **look)])
    figure = make_subplots(cols=2, column_widths=[0.7, 0.3], horizontal_spacing=0.04)
    figure.add_traces(frames[len(kept) // 2], rows=[1, 1], cols=[1, 2])
    alt = (
        f"Heat map of a bank with {len(last)} slots and bars of how often each was written, with a slider over {len(texts)} turns. "
        f"{_ranks(banks, texts)} In the end {int((last > 0).sum())} of the slots were written, the busiest {int(last.max())} times."
    )
    style(figure, title, alt, height=560, t=80, b=190)
    hide_ticks(figure, row=1, col=1)
    figure.update_xaxes(automargin=False)
    figure.update_xaxes(title="column (pooled)", row=1, col=1)
    writes = {"text": "writes", "standoff": 16}  # on top, where no colour scale is
    figure.update_xaxes(title=writes, side="top", range=[0, int(last.max()) + 1], nticks=4, col=2)
    figure.update_yaxes(autorange="reversed", showticklabels=False, ticks="", showgrid=False)
    figure.update_yaxes(title="slot", row=1, col=1)
    # numbers: names that change from frame to frame stop plotly's bars
    figure.update_yaxes(range=[len(groups) - 0.5, -0.5], autorange=False, col=2)
    figure.update_layout(showlegend=False)
    return _over_turns(figure, frames, kept, texts)


def square(banks: Banks, texts: Sequence[str], title: str, similarity: Tensor) -> go.Figure:
    """Draw a bank of associations: its matrix, the similarity of the turns' keys, its singular values; a slider over turns.

    Args:
        banks: One bank each: before the first turn, then after every turn.
        texts: The turns' texts, one less than banks.
        title: The heading.
        similarity: (T, T) cosines of `lmem.analysis.bank_metrics.key_similarity`; those of turns that are not yet
            written are drawn as 0.

    Raises:
        InputError: The numbers of banks and texts do not fit, or a bank is a batch.
    """
    kept = _kept(banks, texts)
    matrices = {i: _root_mean_squares(banks[i]) for i in kept}
    sizes = {i: torch.linalg.svdvals(banks[i].state.rows[0].double())[:VALUES] for i in kept}
    top, largest = _largest(matrices.values()), _largest(sizes.values())
    bytes_look = {"zmin": 0, "zmax": 255, "colorscale": "Cividis", "showscale": False}
    bytes_look["hovertemplate"] = "key %{y}, value %{x} (pooled): %{z} of 255<extra></extra>"
    keys_look = {"zmin": -100, "zmax": 100, "colorscale": SIGNED}
    keys_look |= {"x0": 1, "dx": 1, "y0": 1, "dy": 1, "colorbar": cosine_bar()}
    keys_look["hovertemplate"] = "turns %{y} and %{x}: cosine %{z}/100<extra></extra>"
    points_look = {"mode": "markers", "marker": {"color": BLUE, "size": 7}}
    points_look["hovertemplate"] = "number %{x}: %{y}<extra></extra>"
    frames = []
    for i in kept:
        known = similarity.clone()
        known[i:] = known[:, i:] = 0
        z = np.round(255 * matrices[i] / top).astype(np.uint8)
        cosines = (100 * known).round().numpy().astype(np.int8)
        y = [significant(float(size)) for size in sizes[i] if size > 1e-6 * sizes[i][0]]
        matrix, keys = go.Heatmap(z=z, **bytes_look), go.Heatmap(z=cosines, **keys_look)
        frames.append([matrix, keys, go.Scatter(x=list(range(1, len(y) + 1)), y=y, **points_look)])
    titles = ["size of the links", "turns' keys: cosine", "singular values by number, log scale"]
    space = {"vertical_spacing": 0.2, "horizontal_spacing": 0.12, "row_heights": [0.55, 0.45]}
    specs = [[{}, {}], [{"colspan": 2}, None]]
    figure = make_subplots(rows=2, cols=2, specs=specs, subplot_titles=titles, **space)
    figure.add_traces(frames[len(kept) // 2], rows=[1, 1, 2], cols=[1, 2, 1])
    between = similarity[~torch.eye(len(similarity), dtype=torch.bool)]
    alt = (
        f"A square bank with {banks[0].state.rows.shape[1]} rows, with a slider over {len(texts)} turns. {_ranks(banks, texts)} The "
        f"mean cosine between two turns' keys is {float(between.mean()):.2f}."
    )
    style(figure, title, alt, height=760, t=110, b=190)
    figure.update_xaxes(automargin=False)
    for col, (x, y) in enumerate((("value (pooled)", "key (pooled)"), ("turn", "turn")), 1):
        hide_ticks(figure, row=1, col=col)
        figure.update_xaxes(title={"text": x, "standoff": 4}, row=1, col=col)
        figure.update_yaxes(title={"text": y, "standoff": 4}, row=1, col=col)
    power = float(np.log10(largest))
    power = [round(power - 3.2, 2), round(power + 0.2, 2)]
    figure.update_xaxes(range=[0, VALUES + 1], row=2, col=1)
    figure.update_yaxes(title="size", type="log", range=power, dtick=1, row=2, col=1)
    figure.update_annotations(font_size=13)
    figure.update_layout(showlegend=False)
    return _over_turns(figure, frames, kept, texts)


def turn_rows(banks: Banks, texts: Sequence[str], square: bool = False) -> list[dict]:
    """List the numbers behind the slider: what each turn did to the bank.

    Args:
        banks: The banks, before the first turn and after each one.
        texts: The turns.
        square: Whether the bank is a square matrix, whose single rows mean nothing.
    """
    table = []
    for bank, text in zip(banks[1:], texts, strict=True):
        look = bank_metrics.measure_bank(bank)
        row = {"turn": look["turns"], "text": shorten(text)}
        rank = {"effective rank": f"{look['rank']:.1f}"}
        if square:
            row |= rank | {"norm of the matrix": f"{bank.state.rows[0].norm():.2f}"}
        else:
            row |= {"rows changed": round(look["changed"] * look["rows"])} | rank
            row |= {"distinct rows": look["distinct"], "median norm": f"{look['middle']:.2f}"}
        table.append(row)
    return table


def _check(banks: Banks, texts: Sequence[str]) -> None:
    if len(banks) != len(texts) + 1:
        raise InputError(
            f"expected one bank before the first of {len(texts)} turns and one after each, got {len(banks)}"
        )


def _kept(banks: Banks, texts: Sequence[str]) -> list[int]:
    """Which banks become frames: all, or evenly spaced ones and the last."""
    _check(banks, texts)
    if any(len(bank) != 1 for bank in banks):
        raise InputError("expected one bank at a time, not a batch of them")
    return sorted({len(texts), *range(0, len(banks), -(-len(banks) // (FRAMES - 1)))})


def _over_turns(
    figure: go.Figure, frames: list[list], kept: list[int], texts: Sequence[str]
) -> go.Figure:
    """Add the slider; the subtitle is the turn that was written last."""
    headings = [
        f"turn {i}: {shorten(texts[i - 1], 46)}" if i else "before the first turn" for i in kept
    ]
    labels, shown = [str(i) for i in kept], len(kept) // 2
    return add_slider(figure, frames, labels, SLIDER, shown=shown, headings=headings)


def _groups(count: int) -> list[np.ndarray]:
    """Neighbouring rows that are drawn as one: index arrays, SHOWN of them at most."""
    return np.array_split(np.arange(count), min(count, SHOWN))


def _pool(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Means over neighbours along one axis, at most `count` of them."""
    parts = np.array_split(values, min(count, values.shape[axis]), axis=axis)
    return np.stack([part.mean(axis) for part in parts], axis)


def _root_mean_squares(bank: Bank) -> np.ndarray:
    """(SIDE, SIDE) root mean squares over blocks of a square bank."""
    cells = np.square(bank.state.rows[0].detach().double().cpu().numpy())
    return np.sqrt(_pool(_pool(cells, SIDE, 0), SIDE, 1))


def _largest(values) -> float:
    """The largest size of a number in several arrays, or 1 if all are zero."""
    return max(float(abs(array).max()) for array in values) or 1.0


def _heat(values: np.ndarray, names: list[str], top: float, scale: dict, hover: str) -> go.Heatmap:
    """A heat map of one bank, in bytes: 127 is the largest value of all frames."""
    ends = {"tickvals": [-127, 0, 127], "ticktext": [f"{-top:.1f}", "0", f"{top:.1f}"]}
    look = {"zmin": -127, "zmax": 127, "colorscale": SIGNED, "colorbar": scale | ends}
    z = np.round(127 * values / top).astype(np.int8)
    return go.Heatmap(y=names, z=z, hovertemplate=hover, **look)


def _heats(
    banks: Banks, texts: Sequence[str], kept: list[int], most: Tensor | None, columns: int
) -> list[go.Heatmap]:
    """The heat map of each bank that is kept; the name of a row says how old it is, and which turn it holds most of."""
    maps = []
    for i in kept:
        full = banks[i].state.rows[0].detach().double().cpu().numpy()
        maps.append(_pool(_pool(full, SHOWN, 0), columns, 1))
    top, heats = _largest(maps), []
    scale = colour_bar("mean of the pooled numbers")
    for i, values in zip(kept, maps, strict=True):
        ages, turns = banks[i].age[0].tolist(), _most(banks, most, i)
        names = [_row_name(group, ages, turns, texts) for group in _groups(len(ages))]
        heats.append(_heat(values, names, top, scale, "%{y}<extra></extra>"))
    return heats


def _most(banks: Banks, most: Tensor | None, i: int) -> list[int]:
    """The turn that each row of bank i holds most of."""
    return (banks[i].state.written[0] if most is None else most[i]).tolist()


def _row_name(group: np.ndarray, ages: list[int], most: list[int], texts: Sequence[str]) -> str:
    name = f"row {group[0]}" if len(group) == 1 else f"rows {group[0]} to {group[-1]}"
    rows = group.tolist()
    written = [ages[r] for r in rows if ages[r] >= 0]
    if not written:
        return f"{name}: never written"
    turns = [most[r] for r in rows]
    turn: int = max(sorted(set(turns)), key=turns.count)
    source = f"turn {turn + 1}: {shorten(texts[turn], 28)}" if turn >= 0 else "the start"
    return f"{name}, age {min(written)}, most of it {source}"


def _ranks(banks: Banks, texts: Sequence[str]) -> str:
    first, last = bank_metrics.measure_bank(banks[0]), bank_metrics.measure_bank(banks[-1])
    return (
        f"Its effective rank is {first['rank']:.0f} before the first turn and {last['rank']:.1f} after {len(texts)}; the median norm "
        f"of a row {first['middle']:.1f} and {last['middle']:.1f}."
    )


def _turns(most: list[int]) -> str:
    names = [str(turn + 1) for turn in sorted({turn for turn in most if turn >= 0})]
    if not names:
        return "no turn"
    word = "turns " if len(names) > 1 else "turn "
    if len(names) > 6:
        names = [*names[:3], "...", *names[-3:]]
    return word + ", ".join(names)
