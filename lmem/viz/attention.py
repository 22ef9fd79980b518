"""What a read attended to (chapters 3 and 5)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.analysis.attention import AttentionRecord
from lmem.errors import InputError
from lmem.viz.colours import ORANGE
from lmem.viz.plots import add_slider, colour_bar, shorten, style

PANEL = 150  # height of each bank's panel in pixels
NO_TURN = "no turn"


def attention_by_token(
    records: Mapping[str, AttentionRecord],
    title: str,
    texts: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> go.Figure:
    """Draw a heat map for each bank, with a slider over the tokens that attend.

    The map has a row for each layer. Its columns are the question's tokens and the turns behind the bank's rows, or the rows.

    Args:
        records: {name: record}, all of one question and one answer.
        title: The heading.
        texts: The turns' texts, shown on hover.
        rows: Names of the bank's rows, to draw each row instead of adding them up by turn.

    Raises:
        InputError: The banks were read for different tokens.
    """
    first = next(iter(records.values()))
    for name, record in records.items():
        if (record.readers, record.question) != (first.readers, first.question):
            raise InputError(
                f"expected the same question and answer for all banks, those of {name} differ"
            )
    shares = {
        name: dict(enumerate(record.on_rows.permute(2, 0, 1).numpy())) if rows else by_turn(record)
        for name, record in records.items()
    }

    def label(place: int, texts: Sequence[str] = ()) -> str:
        return rows[place] if rows else _turn(place, texts)

    behind = sorted({turn for by in shares.values() for turn in by})
    tokens = [token.strip() for token in first.question]
    columns = tokens + [label(turn) for turn in behind]
    hints = [f"token {token!r}" for token in tokens] + [label(turn, texts) for turn in behind]
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
    most = "; ".join(_alt(name, record, shares[name], label) for name, record in records.items())
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
                row["size added: branch / frozen"] = f"{record.added[layer, reader]:.2f}"
            rows.append(row)
    return rows


def _alt(
    name: str,
    record: AttentionRecord,
    shares: Mapping[int, np.ndarray],
    label: Callable[[int], str],
) -> str:
    means = {turn: float(part[:, 0].mean()) for turn, part in shares.items()}
    most = max(means, key=means.__getitem__)
    return (
        f"{name} says {record.answer}; for its first token most of the bank's share, {_percent(means[most])} over the layers, "
        f"is on {label(most)}"
    )


def _turn(turn: int, texts: Sequence[str] = ()) -> str:
    if turn < 0:
        return NO_TURN
    return f"turn {turn + 1}" + (f": {shorten(texts[turn])}" if turn < len(texts) else "")


def _percent(share: float) -> str:
    return f"{100 * float(share):.0f}%"
