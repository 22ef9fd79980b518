"""What a read attended to, and what single rows say (chapters 2 and 5)."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.analysis.attention import AttentionRecord
from lmem.errors import InputError
from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.plots import add_slider, colour_bar, line, shorten, style

PANEL = 150  # height of each bank's panel in pixels
NO_TURN = "no turn"


def attention_by_token(
    records: Mapping[str, AttentionRecord], title: str, texts: Sequence[str] = ()
) -> go.Figure:
    """Draw a heat map for each bank, with a slider over the tokens that attend.

    The map has a row for each layer. Its columns are the question's tokens and the turns behind the bank's rows.

    Args:
        records: {name: record}, all of one question and one answer.
        title: The heading.
        texts: The turns' texts, shown on hover.

    Raises:
        InputError: The banks were read for different tokens.
    """
    first = next(iter(records.values()))
    for name, record in records.items():
        if (record.readers, record.question) != (first.readers, first.question):
            raise InputError(
                f"expected the same question and answer for all banks, those of {name} differ"
            )
    shares = {name: by_turn(record) for name, record in records.items()}
    behind = sorted({turn for by in shares.values() for turn in by})
    tokens = [token.strip() for token in first.question]
    columns = tokens + [_turn(turn) for turn in behind]
    hints = [f"token {token!r}" for token in tokens] + [_turn(turn, texts) for turn in behind]
    layers = [f"layer {i + 1}" for i in range(len(first.on_question))]

    def shares_of(name: str, reader: int) -> np.ndarray:
        """Attention of one token (L, columns), in whole percent."""
        nothing = np.zeros(len(layers))
        by = shares[name]
        on_turns = [by[turn][:, reader] if turn in by else nothing for turn in behind]
        on_turns = np.array(on_turns).reshape(-1, len(layers)).T
        both = np.concatenate([records[name].on_question[:, reader].numpy(), on_turns], 1)
        return np.round(100 * both).astype(np.uint8)

    places, ticks = range(1, len(records) + 1), list(range(len(columns)))
    titles = [f'{name}: says "{record.answer}"' for name, record in records.items()]
    space = {"shared_xaxes": True, "vertical_spacing": 0.3 / len(records)}
    figure = make_subplots(rows=len(records), subplot_titles=titles, **space)
    look = {"zmin": 0, "zmax": 100, "colorscale": "Cividis"}
    look["hovertext"] = [hints] * len(layers)
    look["hovertemplate"] = "%{y}: %{z}%<br>%{hovertext}<extra></extra>"
    look["colorbar"] = colour_bar("share of attention, %")
    for place, name in zip(places, records, strict=True):
        heat = go.Heatmap(z=shares_of(name, 0), x=ticks, y=layers, showscale=place == 1, **look)
        figure.add_trace(heat, row=place, col=1)
    frames = [
        [go.Heatmap(z=shares_of(name, reader)) for name in records]
        for reader in range(len(first.readers))
    ]
    most = "; ".join(_alt(name, record, shares[name]) for name, record in records.items())
    alt = f"Heat maps of attention for {len(records)} banks, with a slider over the tokens that look. {most}."
    style(figure, title, alt, height=330 + PANEL * len(records), t=90, b=250)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(
        tickvals=ticks, ticktext=columns, tickangle=-90, tickfont_size=11, automargin=False
    )
    figure.add_vline(len(tokens) - 0.5, line={"width": 3, "color": ORANGE})
    figure.update_annotations(x=0, xanchor="left", font_size=14)
    labels = [f"{i + 1}. {token.strip()}" for i, token in enumerate(first.readers)]
    return add_slider(figure, frames, labels, "token that looks: ")


def by_turn(record: AttentionRecord) -> dict[int, np.ndarray]:
    """Add up the shares of the rows by the turn that wrote them last.

    Returns:
        {turn: (L, T)}, with turn -1 for rows with no turn behind them.
    """
    turns = record.turns or [-1] * record.on_rows.shape[2]
    rows = {turn: [i for i, t in enumerate(turns) if t == turn] for turn in sorted(set(turns))}
    return {turn: record.on_rows[:, :, at].sum(2).numpy() for turn, at in rows.items()}


def attention_rows(records: Mapping[str, AttentionRecord], reader: int = 0) -> list[dict]:
    """List where most of one token's attention goes, by bank and layer.

    Args:
        records: {name: record}, as for `attention_by_token`.
        reader: Number of the token that attends.
    """
    rows = []
    for name, record in records.items():
        turns = by_turn(record)
        for layer, on_question in enumerate(record.on_question):
            token = int(on_question[reader].argmax())
            text, share = record.question[token].strip(), on_question[reader, token]
            turn, on_turn = max(
                ((turn, by[layer, reader]) for turn, by in turns.items()), key=lambda pair: pair[1]
            )
            row = {
                "bank": name,
                "layer": layer + 1,
                "most of the question": f"{text} {_percent(float(share))}",
                "most of the bank": f"{_turn(turn)} {_percent(on_turn)}",
            }
            if record.added is not None:
                row["bank's part over the question's"] = f"{record.added[layer, reader]:.2f}"
            rows.append(row)
    return rows


def row_contents(
    likeness,
    answers: Sequence[str],
    bits,
    written: Sequence[int],
    title: str,
    texts: Sequence[str] = (),
    answer: str = "the answer",
) -> go.Figure:
    """Draw each row's similarity to every turn, next to the bits that this row alone adds to the right answer.

    Args:
        likeness: (R, T) cosines, of `lmem.analysis.row_contents.turn_similarity`.
        answers: R texts that the model says with this row alone, of `lmem.analysis.row_contents.answers_by_row`.
        bits: (R,), of the same.
        written: R numbers of the turns that wrote the rows last; rows with -1 are left out.
        title: The heading.
        texts: The turns.
        answer: The right answer.

    Raises:
        InputError: No row was written.
    """
    rows = [r for r, turn in enumerate(written) if turn >= 0]
    if not rows:
        raise InputError("expected a bank with a written row, found none")
    cosines = np.asarray(likeness)[rows]  # (rows, T)
    gained = [round(float(bits[r]), 1) + 0.0 for r in rows]
    labels = [f"row {r}, written last by {_turn(written[r])}" for r in rows]
    turns = list(range(cosines.shape[1]))
    space = {"column_widths": [0.7, 0.3], "horizontal_spacing": 0.04}
    figure = make_subplots(cols=2, shared_yaxes=True, **space)
    x, z = [_turn(turn, texts) for turn in turns], np.round(100 * cosines).astype(np.int8)
    scale = {"zmin": int(100 * cosines.min()), "zmax": 100, "colorscale": "Cividis"}
    scale["colorbar"] = colour_bar("cosine with the turn as written alone, %")
    hover = "%{y}<br>%{x}<br>cosine %{z}%<extra></extra>"
    heat = go.Heatmap(x=x, y=labels, z=z, hovertemplate=hover, **scale)
    hover = "%{y}<br>alone it says: %{text}<br>%{x} bits<extra></extra>"
    look = {"mode": "markers", "marker": {"color": BLUE, "size": 6}, "hovertemplate": hover}
    spoken = [shorten(answers[r], 30) or "(nothing)" for r in rows]
    points = line(gained, labels, text=spoken, **look)
    figure.add_trace(heat, row=1, col=1).add_trace(points, row=1, col=2)
    best = rows[int(np.argmax(gained))]
    # turns of the same words are equally near
    near = cosines >= cosines.max(1, keepdims=True) - 1e-4
    own = near[np.arange(len(rows)), [written[r] for r in rows]].mean()
    alt = (
        f"Heat map of {len(rows)} rows against {len(turns)} turns; {_percent(own)} of the rows are nearest to the turn that wrote "
        f"them last. Beside it the bits that each row alone gives {answer}: most, {max(gained)}, by row {best}, which says "
        f'"{answers[best]}".'
    )
    style(figure, title, alt, height=590, b=160)
    figure.update_yaxes(showticklabels=False, ticks="", autorange="reversed", showgrid=False)
    figure.update_yaxes(title="row of the bank", row=1, col=1)
    figure.update_xaxes(automargin=False, title=None)
    names = [t + 1 for t in turns]
    figure.update_xaxes(title="turn", tickvals=turns, ticktext=names, row=1, col=1)
    figure.update_xaxes(tickfont_size=10, tickangle=0, row=1, col=1)
    figure.update_xaxes(title="bits alone", showgrid=True, row=1, col=2)
    return figure.update_layout(showlegend=False)


def _alt(name: str, record: AttentionRecord, shares: Mapping[int, np.ndarray]) -> str:
    means = {turn: float(part[:, 0].mean()) for turn, part in shares.items()}
    most = max(means, key=means.__getitem__)
    return (
        f"{name} says {record.answer}; for its first token most of the bank's share, {_percent(means[most])} over the layers, "
        f"is on {_turn(most)}"
    )


def _turn(turn: int, texts: Sequence[str] = ()) -> str:
    if turn < 0:
        return NO_TURN
    return f"turn {turn + 1}" + (f": {shorten(texts[turn])}" if turn < len(texts) else "")


def _percent(share: float) -> str:
    return f"{100 * float(share):.0f}%"
