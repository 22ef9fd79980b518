"""Which rows a keyed read retrieves: the question's key against the key of every row, for both hops (chapter 14)."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.plots import add_slider, percent, shorten, style

NEAREST = 4  # rows that are drawn of each hop


def retrieved_rows(
    asked: Sequence[tuple[str, Sequence[tuple], str]], texts: Sequence[str], title: str
) -> go.Figure:
    """Draw the rows nearest to each question's key, as shares of the read's softmax, with a slider over questions.

    Args:
        asked: (question, hops, answer) each. `hops` is a list of (shares (R + 1,), written (R,)): the last share is
            that of the null key, which means that no row fits; `written` is the turn of each row, -1 for none.
        texts: The turns.
        title: The heading.

    Raises:
        InputError: There is no question.
    """
    if not asked:
        raise InputError("expected at least one question to draw, got none")
    frames, best_of_each = [], []
    for question, hops, answer in asked:
        bars = []
        for hop, (shares, written) in enumerate(hops, 1):
            nearest = _nearest(shares, written, texts)
            x = [percent(share) for _, share in nearest]
            y = [f"{hop}.{place} {name}" for place, (name, _) in enumerate(nearest, 1)]
            look = {"orientation": "h", "marker": {"color": BLUE if hop == 1 else ORANGE}}
            hover = "%{y}: %{x}%<extra></extra>"
            bars.append(go.Bar(x=x, y=y, name=f"hop {hop}", hovertemplate=hover, **look))
        frames.append(bars)
        shares, written = hops[0]
        name, share = _nearest(shares, written, texts)[0]
        best_of_each.append(
            f'"{question}" finds {name} with {100 * share:.0f}% and answers {answer}'
        )
    alt = (
        f"Bars: the {NEAREST} rows that the question's key is nearest to in each hop, with a slider over {len(asked)} questions. "
        f"{'; '.join(best_of_each)}."
    )
    figure = style(go.Figure(), title, alt, "share, %", height=420)
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(autorange="reversed", automargin=True)
    labels = [str(i + 1) for i in range(len(asked))]
    headings = [f"{shorten(question, 48)} {answer}" for question, _, answer in asked]
    return add_slider(figure, frames, labels, "question ", headings=headings)


def _nearest(shares, written, texts: Sequence[str]) -> list[tuple[str, float]]:
    """(text of the row, share) of the nearest rows of a hop, the nearest first."""
    shares, null = np.asarray(shares, float), len(written)
    order = np.argsort(-shares, kind="stable").tolist()
    order = [row for row in order if row == null or written[row] >= 0][:NEAREST]
    names = ["no match" if row == null else shorten(texts[int(written[row])], 34) for row in order]
    return [(name, float(shares[row])) for name, row in zip(names, order, strict=True)]
