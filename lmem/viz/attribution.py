"""Where an answer comes from: bits by turn, as `MemoryModel.attribute` finds them, a slider over questions (chapter 10)."""

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.viz.plots import COLOURS, short, slide, style


def attributed(bits, texts, questions, answers, title):
    """A bar for each turn: how many bits less likely the answer gets without it.

    bits       (Q, T), a row for each question; below 0 where a turn stands in the answer's way
    texts      the T turns; questions, answers: Q texts each, questions all different
    raises     InputError if the sizes do not fit
    """
    rows = [[round(float(one), 1) + 0.0 for one in row] for row in bits]
    if {len(questions), len(answers)} != {len(rows)} or any(len(row) != len(texts) for row in rows):
        raise InputError(
            f"expected bits of {len(questions)} questions and {len(texts)} turns, and as many answers"
        )
    names = [f"{t + 1}. {short(text, 26)}" for t, text in enumerate(texts)]
    frames = [
        [
            go.Bar(
                x=row, y=names, orientation="h", marker={"color": COLOURS["right"]}, hovertemplate="%{x} bits<br>%{y}<extra></extra>",
            )
        ]
        for row in rows
    ]  # fmt: skip
    spoken = []
    for question, answer, row in zip(questions, answers, rows, strict=True):
        turn = max(range(len(row)), key=row.__getitem__)
        spoken.append(f"{question} {answer}: turn {turn + 1}, {row[turn]:.1f} bits")
    alt = (
        f"Bars of the bits that each of {len(texts)} turns gives to an answer, with a slider over {len(questions)} questions. "
        f"The largest of each: {'; '.join(spoken)}."
    )
    figure = style(go.Figure(), title, alt, "bits lost without the turn", None, 560)
    top, low = max(map(max, rows)), min(map(min, rows))
    figure.update_xaxes(range=[min(0.0, low) - 0.5, top * 1.05 + 0.5])
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, ticks="")
    figure = slide(figure, frames, [str(q + 1) for q in range(len(questions))], "question ")
    for frame, question, answer in zip(figure.frames, questions, answers, strict=True):
        frame.layout = {"title": {"text": title, "subtitle": {"text": f"{question} {answer}"}}}
    return figure.update_layout(
        title_subtitle={"text": f"{questions[0]} {answers[0]}", "font": {"size": 13}},
        margin={"t": 80, "b": 140},
    )
