"""What a score can hide: four small examples with made-up scores, computed by `lmem.metrics.forgetting` (chapter 12).

    clipping     a recall rate cannot see harm
    isotonic     a curve that may not rise hides one that does
    averages     a mean of buckets is not a mean of questions
    null_rows    zero rows take attention

Each function computes rows of numbers, in percent. `draw_` of the same name draws them with a slider.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from lmem.experiments import paper
from lmem.metrics import forgetting
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.colours import COLOURS, GREEN
from lmem.viz.plots import add_slider, column, grouped, line, style
from lmem.viz.plots import percent as to_percent

SCORES = (
    ("recall rate", "recall rate, clipped", COLOURS["twin"], "dash"),
    ("signed gain", "signed gain", COLOURS["right"], "solid"),
)
MEANS = (
    ("of_buckets", "mean of the buckets, the paper's", COLOURS["twin"], "dash"),
    ("of_questions", "mean of the questions", GREEN, "solid"),
)
MASSES = (
    ("sought", "the token that is looked for", COLOURS["right"]),
    ("others", "the question's other tokens", COLOURS["none"]),
    ("null", "zero rows", COLOURS["null_rows"]),
)


def clipping() -> list[dict]:
    """Score 100 questions. Compared with zero rows, the bank corrects some of them (helped) and spoils others (hurt).

    Returns:
        Rows {helped, hurt, recall rate, signed gain}, in percent.
    """
    rows = []
    for more in range(0, 51, 5):
        for less in range(0, 51, 5):
            f_0, f_mem = np.zeros(100), np.zeros(100)
            f_mem[:more] = 1.0
            f_0[100 - less :] = 1.0
            rate = percent(forgetting.recall_rate(f_mem, f_0).mean())
            gain = percent(forgetting.signed_gain(f_mem, f_0).mean())
            rows.append({"helped": more, "hurt": less, "recall rate": rate, "signed gain": gain})
    return rows


def draw_clipping(rows: Sequence[dict]) -> go.Figure:
    """Draw both scores by the share of questions that the bank harms, with a slider over the share that it helps."""
    by_helped = grouped(rows, "helped")
    name = "pure noise: helps as often as it hurts"
    baseline = COLOURS["baseline"]
    diamond = {"symbol": "diamond-open", "size": 12, "color": baseline, "line": {"width": 2}}
    frames = []
    for share, here in by_helped.items():
        x = column(here, "hurt")
        lines = [
            line(x, column(here, key), label, colour, dash, 3)
            for key, label, colour, dash in SCORES
        ]
        noise = [row for row in here if row["hurt"] == share]
        x = [row["hurt"] for row in noise for _ in SCORES]
        y = [row[key] for row in noise for key, *_ in SCORES]
        frames.append([*lines, line(x, y, name, mode="markers", marker=diamond)])
    alt = (
        "Two lines over the share of questions that a bank harms, with a slider over the share that it helps. The clipped recall rate "
        "is level: it stays at the share that is helped. The signed gain falls as harm grows, and is 0 for pure noise."
    )
    x, y = "questions that the bank harms, %", "mean score, %"
    figure = style(go.Figure(), "Clipping makes noise look like memory", alt, x, y, 520)
    low, high = min(column(rows, "signed gain")), max(column(rows, "recall rate"))
    figure.update_yaxes(range=[low - 3, high + 3], zeroline=True)
    labels = [f"{share}%" for share in by_helped]
    return add_slider(figure, frames, labels, "questions that it helps: ", shown=4)


def isotonic() -> list[dict]:
    """Compute the non-increasing fit of a score that changes evenly from the shortest to the longest lag.

    Returns:
        Rows {rise (last bucket minus first, points), bucket, n (the paper's questions), raw, fit}, in percent.
    """
    rows = []
    for rise in range(-16, 17, 4):
        means = [10.0 + rise * (i / (len(BUCKETS) - 1) - 0.5) for i in range(len(BUCKETS))]
        curve = _curve(means)
        for name, n, raw, fit in zip(
            BUCKET_NAMES, paper.QUESTIONS, curve["raw"], curve["fit"], strict=True
        ):
            row = {"rise": rise, "bucket": name, "n": n}
            rows.append(row | {"raw": percent(raw), "fit": percent(fit)})
    return rows


def draw_isotonic(rows: Sequence[dict]) -> go.Figure:
    """Draw the means by lag and their isotonic fit, with a slider over how the score truly changes."""
    by_rise = grouped(rows, "rise")
    marker, fit = {"color": COLOURS["right"], "size": 10}, "isotonic fit, may not rise"
    frames = []
    for here in by_rise.values():
        x, mode = [f"{row['bucket']}<br>n = {row['n']}" for row in here], "markers+lines"
        raw = line(x, column(here, "raw"), "raw bucket means", None, "dot", 2, mode, marker=marker)
        frames.append([raw, line(x, column(here, "fit"), fit, COLOURS["twin"], width=3)])
    alt = (
        "Raw means by lag and their non-increasing fit, with a slider over the true change from short to long lags. Where the score "
        "falls the two agree; where it rises the fit is level, at the mean of all questions."
    )
    figure = _by_lag("A fit that may not rise hides a rise", alt, max(column(rows, "raw")))
    labels = [f"{rise:+d}" for rise in by_rise]
    return add_slider(figure, frames, labels, "from first to last: ", " points", 7)


def averages() -> list[dict]:
    """Average a memory that keeps little but the shortest lags, in two ways.

    Returns:
        Rows {short (its score in the shortest bucket), buckets (5), n (5, the paper's questions), of_buckets,
        of_questions}, in percent.
    """
    rows = []
    for short in range(0, 61, 6):
        means = [float(short)] + [2.0] * (len(BUCKETS) - 1)
        curve = _curve(means)
        row = {"short": short, "buckets": means, "n": list(paper.QUESTIONS)}
        row["of_buckets"] = percent(curve["raw_mean_of_buckets"])
        rows.append(row | {"of_questions": percent(curve["mean_of_questions"])})
    return rows


def draw_averages(rows: Sequence[dict]) -> go.Figure:
    """Draw the buckets as bars and both means as lines, with a slider over the score at short lags."""
    labels = [f"{name}<br>n = {n}" for name, n in zip(BUCKET_NAMES, rows[0]["n"], strict=True)]
    frames = []
    for row in rows:
        bars = go.Bar(x=labels, y=row["buckets"], name="buckets", marker_color=COLOURS["none"])
        means = [
            line(labels, [row[key]] * len(labels), name, colour, dash, 3)
            for key, name, colour, dash in MEANS
        ]
        frames.append([bars, *means])
    share = round(100 * rows[0]["n"][0] / sum(rows[0]["n"]))
    alt = (
        f"Bars of five buckets of lag and two means across them, with a slider over the score of the shortest bucket, {share}% of the "
        "questions. The mean of the buckets rises a fifth as fast as that bucket; the mean of the questions hardly rises."
    )
    figure = _by_lag(
        "Two ways to average give two results", alt, max(max(row["buckets"]) for row in rows)
    )
    labels = [f"{row['short']}%" for row in rows]
    return add_slider(figure, frames, labels, "score at short lags: ", shown=6)


def null_rows(tokens: int = 12) -> list[dict]:
    """Compute who gets the softmax when zero rows are read too: a zero key has the score 0, so its row counts.

        share of a position = exp(its score) / (exp(score) + tokens - 1 + rows)

    Args:
        tokens: Of the question. One of them is looked for; the score of the others is 0.

    Returns:
        Rows {rows, score, sought, others, null}, in percent.
    """
    table = []
    for rows in (0, 1, 4, 16, 64, 384, 640):
        for score in range(11):
            total = np.exp(score) + tokens - 1 + rows
            sizes = {"sought": np.exp(score), "others": tokens - 1, "null": rows}
            shares = {name: percent(size / total) for name, size in sizes.items()}
            table.append({"rows": rows, "score": score, **shares})
    return table


def draw_null_rows(rows: Sequence[dict]) -> go.Figure:
    """Draw the shares of the attention by the score of the token that is looked for, with a slider over the number of zero rows."""
    by_count = grouped(rows, "rows")
    frames = []
    for here in by_count.values():
        areas = []
        for key, name, colour in MASSES:
            fill = {"stackgroup": "mass", "fillcolor": colour}
            y = column(here, key)
            areas.append(line(column(here, "score"), y, name, colour, width=1, **fill))
        frames.append(areas)
    alt = (
        "Areas of the shares of the attention over the score of the token that is looked for, with a slider over the number of zero rows. The more "
        "rows, the larger the score must be before the token gets most of it; the rest goes to rows that hold nothing."
    )
    x, y = "score of the token that is looked for", "share of the attention, %"
    figure = style(go.Figure(), "Zero rows take attention from real tokens", alt, x, y, 520)
    figure.update_yaxes(range=[0, 100])
    labels = [str(n) for n in by_count]
    return add_slider(figure, frames, labels, "zero rows that are read: ", shown=4)


def percent(fraction: float) -> float | None:
    """Convert to percent with two decimals."""
    return to_percent(fraction, 2)


def _curve(means: Sequence[float]) -> dict:
    """Compute the forgetting curve of questions that all score their bucket's mean, in percent."""
    lags = np.repeat([low for low, _ in BUCKETS], paper.QUESTIONS)
    return forgetting.forgetting_curve(lags.tolist(), np.repeat(means, paper.QUESTIONS) / 100)


def _by_lag(title: str, alt: str, top: float) -> go.Figure:
    """Start a figure of scores by bucket of lag."""
    figure = style(go.Figure(), title, alt, "lag of the evidence, turns", "score, %", 540)
    figure.update_yaxes(range=[0, top + 2])
    return figure.update_xaxes(tickangle=0, tickfont_size=11)
