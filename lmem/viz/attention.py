"""What the read looked at, and what single rows say, drawn (chapters 2 and 5)."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.viz.plots import COLOURS, short, slide, style

PANEL = 150  # pixels of height for each bank
NOBODY = "no turn"
SCALE = {  # below everything, so that it takes no width from the maps
    "title": {"text": "share of attention, %", "side": "bottom"}, "orientation": "h", "thickness": 10, "len": 1,
    "yref": "container", "y": 0, "yanchor": "bottom",
}  # fmt: skip


def looked(records, title, texts=(), turns=None):
    """A heat map for each bank: layers over the question's tokens and the turns behind the bank's rows; a slider over the tokens
    that look.

    records  {name: `lmem.analysis.attention.AttentionRecord`}, of one question and one answer
    texts    the turns' texts, for the reader who points at one
    turns    the turn behind each row, where it is not the one that wrote it last
    raises   InputError if the banks were read for different tokens
    """
    first = next(iter(records.values()))
    for name, one in records.items():
        if (one.readers, one.question) != (first.readers, first.question):
            raise InputError(
                f"expected the same question and answer for all banks, those of {name} differ"
            )
    shares = {name: by_turn(one, turns) for name, one in records.items()}
    behind = sorted({turn for found in shares.values() for turn in found})
    columns = [token.strip() for token in first.question] + [_turn(turn) for turn in behind]
    hints = [f"token {token!r}" for token in columns[: len(first.question)]]
    hints += [_turn(turn, texts) for turn in behind]
    layers = [f"layer {i + 1}" for i in range(len(first.on_question))]
    figure = make_subplots(
        rows=len(records), cols=1, shared_xaxes=True, vertical_spacing=0.3 / len(records),
        subplot_titles=[f'{name}: says "{one.answer}"' for name, one in records.items()],
    )  # fmt: skip

    def seen(name, reader):
        on_question = records[name].on_question[:, reader].numpy()  # (L, N)
        on_turns = shares[name]
        none = np.zeros(len(layers))
        rows = [on_turns[turn][:, reader] if turn in on_turns else none for turn in behind]
        return np.concatenate([on_question, np.array(rows).reshape(-1, len(layers)).T], 1)

    for place, name in enumerate(records):
        figure.add_trace(
            go.Heatmap(
                z=_whole(seen(name, 0)), x=list(range(len(columns))), y=layers, zmin=0, zmax=100, colorscale="Cividis",
                showscale=place == 0, colorbar=SCALE,
                hovertext=[hints] * len(layers), hovertemplate="%{y}: %{z}%<br>%{hovertext}<extra></extra>",
            ),
            row=place + 1, col=1,
        )  # fmt: skip
    frames = [
        [go.Heatmap(z=_whole(seen(name, reader))) for name in records]
        for reader in range(len(first.readers))
    ]
    alt = (
        f"Heat maps of attention for {len(records)} banks, with a slider over the tokens that look. "
        f"{'; '.join(_spoken(name, one, shares[name]) for name, one in records.items())}."
    )
    height = 330 + PANEL * len(records)
    style(figure, title, alt, None, None, height)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=columns,
        tickangle=-90,
        tickfont_size=11,
        automargin=False,
    )
    figure.add_vline(len(first.question) - 0.5, line={"width": 3, "color": "#D55E00"})
    for note in figure.layout.annotations:
        note.update(x=0, xanchor="left", font_size=14)
    figure.update_layout(margin={"t": 90, "b": 250})
    labels = [f"{i + 1}. {token.strip()}" for i, token in enumerate(first.readers)]
    return slide(figure, frames, labels, "token that looks: ")


def by_turn(one, turns=None):
    """Shares of the rows, put together by the turn behind them.

    returns  {turn: (L, T)}, -1 for rows with no turn behind them
    raises   InputError if `turns` are not one for each row
    """
    turns = one.turns if turns is None else turns
    turns = [-1] * one.on_rows.shape[2] if turns is None else list(turns)
    if len(turns) != one.on_rows.shape[2]:
        raise InputError(
            f"expected a turn for each of {one.on_rows.shape[2]} rows, not {len(turns)}"
        )
    rows = {turn: [i for i, t in enumerate(turns) if t == turn] for turn in sorted(set(turns))}
    return {turn: one.on_rows[:, :, at].sum(2).numpy() for turn, at in rows.items()}


def looked_rows(records, reader=0):
    """The table behind it, for one token that looks: where most of the attention goes, by bank and layer."""
    found = []
    for name, one in records.items():
        turns = by_turn(one)
        for layer in range(len(one.on_question)):
            most = max(turns, key=lambda turn: turns[turn][layer, reader])
            token = int(one.on_question[layer, reader].argmax())
            row = {
                "bank": name,
                "layer": layer + 1,
                "most of the question": f"{one.question[token].strip()} {_percent(one.on_question[layer, reader, token])}",
                "most of the bank": f"{_turn(most)} {_percent(turns[most][layer, reader])}",
            }
            if one.added is not None:
                row["bank's part over the question's"] = f"{one.added[layer, reader]:.2f}"
            found.append(row)
    return found


def decoded(likeness, said, bits, written, title, texts=(), answer="the answer"):
    """What each row says: beside its likeness to every turn, the bits that it alone gives the right answer.

    likeness, said, bits  of `lmem.analysis.row_contents`: (R, T), R texts, (R,)
    written               R numbers of the turns that wrote the rows last; rows with -1 are left out
    raises                InputError if no row was written
    """
    rows = [r for r, turn in enumerate(written) if turn >= 0]
    if not rows:
        raise InputError("expected a bank with a written row, found none")
    cosines = np.asarray(likeness)[rows]  # (R', T)
    gained = [round(float(bits[r]), 1) + 0.0 for r in rows]
    labels = [f"row {r}, written last by {_turn(written[r])}" for r in rows]
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.7, 0.3], horizontal_spacing=0.04,
    )  # fmt: skip
    figure.add_trace(
        go.Heatmap(
            z=np.round(100 * cosines).astype(np.int8), y=labels,
            x=[_turn(turn, texts) for turn in range(cosines.shape[1])],
            zmin=int(100 * cosines.min()), zmax=100, colorscale="Cividis",
            colorbar=SCALE | {"title": {"text": "cosine with the turn as written alone, %", "side": "bottom"}},
            hovertemplate="%{y}<br>%{x}<br>cosine %{z}%<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=gained, y=labels, mode="markers", marker={"color": COLOURS["right"], "size": 6},
            text=[short(said[r], 30) or "(nothing)" for r in rows],
            hovertemplate="%{y}<br>alone it says: %{text}<br>%{x} bits<extra></extra>",
        ),
        row=1, col=2,
    )  # fmt: skip
    best = rows[int(np.argmax(gained))]
    near = (
        cosines >= cosines.max(1, keepdims=True) - 1e-4
    )  # turns of the same words are equally near
    own = near[np.arange(len(rows)), [written[r] for r in rows]].mean()
    alt = (
        f"Heat map of {len(rows)} rows against {cosines.shape[1]} turns; {_percent(own)} of the rows are nearest to the turn that wrote "
        f'them last. Beside it the bits that each row alone gives {answer}: most, {max(gained)}, by row {best}, which says "{said[best]}".'
    )
    style(figure, title, alt, None, None, 590)
    figure.update_yaxes(showticklabels=False, ticks="", autorange="reversed", showgrid=False)
    figure.update_yaxes(title="row of the bank", row=1, col=1)
    turns = list(range(cosines.shape[1]))
    figure.update_xaxes(automargin=False, title=None)
    figure.update_xaxes(
        tickvals=turns, ticktext=[t + 1 for t in turns], tickfont_size=10, tickangle=0, row=1, col=1
    )
    figure.update_xaxes(title="turn", row=1, col=1)
    figure.update_xaxes(title="bits alone", showgrid=True, row=1, col=2)
    return figure.update_layout(margin_b=160, showlegend=False)


def _spoken(name, one, shares):
    turns = {turn: float(part[:, 0].mean()) for turn, part in shares.items()}
    most = max(turns, key=turns.get)
    return f"{name} says {one.answer}; for its first token most of the bank's share, {_percent(turns[most])} over the layers, is on {_turn(most)}"


def _turn(turn, texts=()):
    if turn < 0:
        return NOBODY
    return f"turn {turn + 1}" + (f": {short(texts[turn])}" if turn < len(texts) else "")


def _whole(shares):
    """Whole percents, in a byte each."""
    return np.round(100 * shares).astype(np.uint8)


def _percent(share):
    return f"{100 * float(share):.0f}%"
