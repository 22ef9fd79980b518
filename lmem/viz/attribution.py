"""Where an answer comes from: the bits that each turn adds to it, from `MemoryModel.attribute` (chapter 10)."""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.colours import BLUE
from lmem.viz.plots import add_slider, shorten, style


def bits_by_turn(
    bits: Iterable[Iterable[float]],
    texts: Sequence[str],
    questions: Sequence[str],
    answers: Sequence[str],
    title: str,
) -> go.Figure:
    """Draw how many bits less likely the answer is without each turn, with a slider over questions.

    Args:
        bits: (Q, T), a row for each question. A turn that makes the answer less likely has a number below 0.
        texts: The T turns.
        questions: Q questions, all different.
        answers: Their answers.
        title: The heading.

    Raises:
        InputError: The sizes do not fit.
    """
    rows = [[round(float(value), 1) + 0.0 for value in row] for row in bits]
    if {len(questions), len(answers)} != {len(rows)} or any(len(row) != len(texts) for row in rows):
        raise InputError(
            f"expected bits of {len(questions)} questions and {len(texts)} turns, and as many answers"
        )
    names = [f"{t + 1}. {shorten(text, 26)}" for t, text in enumerate(texts)]
    look = {"marker": {"color": BLUE}, "hovertemplate": "%{x} bits<br>%{y}<extra></extra>"}
    frames = [[go.Bar(x=row, y=names, orientation="h", **look)] for row in rows]
    headings, largest = [], []
    for question, answer, row in zip(questions, answers, rows, strict=True):
        turn = row.index(max(row))
        headings.append(f"{question} {answer}")
        largest.append(f"{question} {answer}: turn {turn + 1}, {row[turn]:.1f} bits")
    alt = (
        f"Bars of the bits that each of {len(texts)} turns gives to an answer, with a slider over {len(questions)} questions. "
        f"The largest of each: {'; '.join(largest)}."
    )
    figure = style(go.Figure(), title, alt, "bits lost without the turn", height=560, t=80, b=140)
    top, low = max(map(max, rows)), min(map(min, rows))
    figure.update_xaxes(range=[min(0.0, low) - 0.5, top * 1.05 + 0.5])
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, ticks="")
    labels = [str(q + 1) for q in range(len(questions))]
    return add_slider(figure, frames, labels, "question ", headings=headings)
