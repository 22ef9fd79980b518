"""What a keyed read found: the question's key against the key of every row, first and second hop (chapter 14)."""

import numpy as np
import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.plots import COLOURS, short, slide, style

SHOWN = 8


def found(asked, texts, title):
    """For each question the rows that its key is nearest to, as shares of the read's softmax; a slider over questions.

    asked   list of (question, hops, answer); hops is a list of (shares (R + 1,), written (R,)): the last share is the empty
            hand's, `written` the turn of each row, -1 for none
    texts   the turns
    raises  InputError without a question
    """
    if not asked:
        raise InputError("expected at least one question to draw, got none")
    frames, said = [], []
    for question, hops, answer in asked:
        bars = []
        for hop, (shares, written) in enumerate(hops, 1):
            best = _best(shares, written, texts)
            bars.append(
                go.Bar(
                    y=[f"{hop}.{place} {name}" for place, (name, _) in enumerate(best, 1)],
                    x=[round(100 * share, 1) for _, share in best],
                    orientation="h", name=f"hop {hop}",
                    marker={"color": COLOURS["right"] if hop == 1 else COLOURS["twin"]},
                    hovertemplate="%{y}: %{x}%<extra></extra>",
                )
            )  # fmt: skip
        frames.append(bars)
        first = _best(*hops[0], texts)[0]
        said.append(
            f'"{question}" finds {first[0]} with {100 * first[1]:.0f}% and answers {answer}'
        )
    figure = go.Figure(frames[0])
    alt = (
        f"Bars: the {SHOWN // 2} rows that the question's key is nearest to in each hop, with a slider over {len(asked)} questions. "
        + "; ".join(said)
        + "."
    )
    style(figure, title, alt, "share, %", None, height=420)
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(autorange="reversed", automargin=True)
    slide(figure, frames, [str(i + 1) for i in range(len(asked))], "question ")
    headings = [f"{short(question, 48)} {answer}" for question, _, answer in asked]
    for frame, heading in zip(figure.frames, headings, strict=True):
        frame.layout = {"title": {"text": title, "subtitle": {"text": heading}}}
    return figure.update_layout(title_subtitle={"text": headings[0], "font": {"size": 13}})


def _best(shares, written, texts):
    """(what stands there, share) of the nearest rows of a hop, the nearest first; the empty hand by its name."""
    shares = np.asarray(shares, float)
    order = np.argsort(-shares, kind="stable")
    order = [row for row in order if row == len(written) or written[row] >= 0][: SHOWN // 2]
    return [
        (
            "nothing fits" if row == len(written) else short(texts[int(written[row])], 34),
            float(shares[row]),
        )
        for row in order
    ]
