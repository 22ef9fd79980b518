"""What a score can hide (chapter 12): four small worlds made by hand, scored by `lmem.metrics.answer_scores`, with sliders that need no kernel.

    clipping     a recall rate cannot see harm
    isotonic     a curve that may not rise hides one that does
    averages     a mean of buckets is not a mean of questions
    null_rows    zero rows take softmax mass

Each function gives rows of numbers, in percent; `draw_` of the same name draws them.
"""

import numpy as np
import plotly.graph_objects as go

from lmem.experiments import paper
from lmem.metrics import forgetting
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.plots import COLOURS, slide, style

GREEN = "#009E73"


def clipping(helped=range(0, 51, 5), hurt=range(0, 51, 5)):
    """100 questions: the bank makes some right that zero rows leave wrong (helped), and some wrong (hurt).

    returns  rows {helped, hurt, recall rate, signed gain}, percent
    """
    rows = []
    for more in helped:
        for less in hurt:
            f_0, f_mem = np.zeros(100), np.zeros(100)
            f_mem[:more] = 1.0
            f_0[100 - less :] = 1.0
            rows.append(
                {
                    "helped": more,
                    "hurt": less,
                    "recall rate": _percent(forgetting.recall_rate(f_mem, f_0).mean()),
                    "signed gain": _percent(forgetting.signed_gain(f_mem, f_0).mean()),
                }
            )
    return rows


def draw_clipping(rows):
    """Lines of both scores over the share of questions that the bank harms; a slider over the share that it helps."""
    helped = sorted({row["helped"] for row in rows})
    drawn = {
        "recall rate": ("recall rate, clipped", COLOURS["twin"], "dash"),
        "signed gain": ("signed gain", COLOURS["right"], "solid"),
    }
    frames = []
    for share in helped:
        here = [row for row in rows if row["helped"] == share]
        noise = [row for row in here if row["hurt"] == share]
        lines = [
            go.Scatter(
                x=[row["hurt"] for row in here], y=[row[key] for row in here], name=name, mode="lines",
                line={"color": colour, "dash": dash, "width": 3},
            )
            for key, (name, colour, dash) in drawn.items()
        ]  # fmt: skip
        lines.append(
            go.Scatter(
                x=[row["hurt"] for row in noise for _ in drawn], y=[row[key] for row in noise for key in drawn],
                name="pure noise: helps as often as it hurts", mode="markers",
                marker={"symbol": "diamond-open", "size": 12, "color": COLOURS["baseline"], "line": {"width": 2}},
            )
        )  # fmt: skip
        frames.append(lines)
    low = min(row["signed gain"] for row in rows)
    high = max(row["recall rate"] for row in rows)
    alt = (
        "Two lines over the share of questions that a bank harms, with a slider over the share that it helps. The clipped recall rate "
        "is level: it stays at the share that is helped. The signed gain falls as harm grows, and is 0 for pure noise."
    )
    figure = style(
        go.Figure(), "Clipped and signed gain", alt, "questions that the bank harms, %", "mean score, %", 520,
    )  # fmt: skip
    figure.update_yaxes(range=[low - 3, high + 3], zeroline=True)
    return slide(
        figure, frames, [f"{share}%" for share in helped], "questions that it helps: ", shown=4
    )


def isotonic(rises=range(-16, 17, 4), middle=10.0, counts=paper.QUESTIONS):
    """A score that changes evenly from the shortest to the longest lag, and its non-increasing fit.

    rises   last bucket minus first, points
    counts  questions in each bucket, by default the paper's
    returns rows {rise, bucket, n, raw, fit}, percent
    """
    rows = []
    for rise in rises:
        raw = [middle + rise * (i / (len(BUCKETS) - 1) - 0.5) for i in range(len(BUCKETS))]
        curve = _curve(raw, counts)
        rows += [
            {"rise": rise, "bucket": name, "n": n, "raw": _percent(mean), "fit": _percent(fit)}
            for name, n, mean, fit in zip(
                BUCKET_NAMES, counts, curve["raw"], curve["fit"], strict=True
            )
        ]
    return rows


def draw_isotonic(rows):
    """Raw means and their isotonic fit by lag; a slider over how the score truly changes."""
    rises = list(dict.fromkeys(row["rise"] for row in rows))
    frames = []
    for rise in rises:
        here = [row for row in rows if row["rise"] == rise]
        x = _labels(here)
        frames.append(
            [
                go.Scatter(
                    x=x, y=[row["raw"] for row in here], name="raw bucket means", mode="markers+lines",
                    marker={"color": COLOURS["right"], "size": 10}, line={"width": 2, "dash": "dot"},
                ),
                go.Scatter(
                    x=x, y=[row["fit"] for row in here], name="isotonic fit, may not rise", mode="lines",
                    line={"color": COLOURS["twin"], "width": 3},
                ),
            ]
        )  # fmt: skip
    alt = (
        "Raw means by lag and their non-increasing fit, with a slider over the true change from short to long lags. Where the score "
        "falls the two agree; where it rises the fit is level, at the mean of all questions."
    )
    figure = style(
        go.Figure(),
        "A curve that may not rise",
        alt,
        "lag of the evidence, turns",
        "score, %",
        540,
    )
    figure.update_yaxes(range=[0, max(row["raw"] for row in rows) + 2])
    figure.update_xaxes(tickangle=0, tickfont_size=11)
    return slide(
        figure, frames, [f"{rise:+d}" for rise in rises], "from first to last: ", " points", 7
    )


def averages(shorts=range(0, 61, 6), elsewhere=2.0, counts=paper.QUESTIONS):
    """A memory that holds the shortest lags only, averaged in two ways.

    shorts   its score in the shortest bucket, percent; elsewhere in all others
    returns  rows {short, buckets (5), n (5), of_buckets, of_questions}, percent
    """
    rows = []
    for short in shorts:
        means = [float(short)] + [elsewhere] * (len(BUCKETS) - 1)
        curve = _curve(means, counts)
        rows.append(
            {
                "short": short,
                "buckets": means,
                "n": list(counts),
                "of_buckets": _percent(curve["raw_mean_of_buckets"]),
                "of_questions": _percent(curve["mean_of_questions"]),
            }
        )
    return rows


def draw_averages(rows):
    """Bars of the buckets, and both means as lines across them; a slider over the score at short lags."""
    labels = [f"{name}<br>n = {n}" for name, n in zip(BUCKET_NAMES, rows[0]["n"], strict=True)]
    frames = []
    for row in rows:
        lines = [
            go.Scatter(
                x=labels, y=[row[key]] * len(labels), mode="lines", name=name,
                line={"color": colour, "dash": dash, "width": 3},
            )
            for key, name, colour, dash in (
                ("of_buckets", "mean of the buckets, the paper's", COLOURS["twin"], "dash"),
                ("of_questions", "mean of the questions", GREEN, "solid"),
            )
        ]  # fmt: skip
        bars = go.Bar(x=labels, y=row["buckets"], name="buckets", marker_color=COLOURS["none"])
        frames.append([bars, *lines])
    share = round(100 * rows[0]["n"][0] / sum(rows[0]["n"]))
    alt = (
        f"Bars of five buckets of lag and two means across them, with a slider over the score of the shortest bucket, {share}% of the "
        "questions. The mean of the buckets rises a fifth as fast as that bucket; the mean of the questions hardly rises."
    )
    figure = style(
        go.Figure(), "Two ways to average", alt, "lag of the evidence, turns", "score, %", 540
    )  # fmt: skip
    figure.update_yaxes(range=[0, max(max(row["buckets"]) for row in rows) + 2])
    figure.update_xaxes(tickangle=0, tickfont_size=11)
    return slide(
        figure, frames, [f"{row['short']}%" for row in rows], "score at short lags: ", shown=6
    )


def null_rows(counts=(0, 1, 4, 16, 64, 384, 640), logits=range(11), tokens=12):
    """Who gets the softmax when zero rows are read too: a zero key has logit 0, and its value is 0, but it counts.

        share of a position = exp(its logit) / (exp(logit) + tokens - 1 + rows)

    counts  zero rows; logits of the token that is looked for; the other tokens have 0
    returns rows {rows, logit, sought, others, null}, percent
    """
    found = []
    for rows in counts:
        for logit in logits:
            total = np.exp(logit) + tokens - 1 + rows
            shares = {"sought": np.exp(logit), "others": tokens - 1, "null": rows}
            shares = {name: _percent(size / total) for name, size in shares.items()}
            found.append({"rows": rows, "logit": logit, **shares})
    return found


def draw_null_rows(rows):
    """Areas of softmax mass over the logit of the token that is looked for; a slider over the number of zero rows."""
    counts = list(dict.fromkeys(row["rows"] for row in rows))
    drawn = {
        "sought": ("the token that is looked for", COLOURS["right"]),
        "others": ("the question's other tokens", COLOURS["none"]),
        "null": ("zero rows", COLOURS["null_rows"]),
    }
    frames = [
        [
            go.Scatter(
                x=[row["logit"] for row in rows if row["rows"] == n], y=[row[key] for row in rows if row["rows"] == n],
                name=name, stackgroup="mass", mode="lines", line={"color": colour, "width": 1}, fillcolor=colour,
            )
            for key, (name, colour) in drawn.items()
        ]
        for n in counts
    ]  # fmt: skip
    alt = (
        "Areas of the softmax mass over the logit of the token that is looked for, with a slider over the number of zero rows. The more "
        "rows, the larger the logit must be before the token gets most of the mass; the rest goes to rows that hold nothing."
    )
    figure = style(
        go.Figure(), "What zero rows take", alt, "logit of the token that is looked for", "softmax mass, %", 520
    )  # fmt: skip
    figure.update_yaxes(range=[0, 100])
    return slide(figure, frames, [str(n) for n in counts], "zero rows that are read: ", shown=4)


def _curve(means, counts):
    """The forgetting curve of questions that all score their bucket's mean, percent."""
    lags = np.repeat([low for low, _ in BUCKETS], counts)
    return forgetting.forgetting_curve(lags.tolist(), np.repeat(means, counts) / 100)


def _labels(rows):
    return [f"{row['bucket']}<br>n = {row['n']}" for row in rows]


def _percent(value):
    return round(100 * float(value), 2) + 0.0
