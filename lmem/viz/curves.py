"""Curves from result files: forgetting, knowledge, tax and benefit, capacity, cost, the ablation ladder, a training's loss.

Each figure takes values and gives a plotly figure, rounded. The paper's values, if they are drawn, are open diamonds of their own
name: another backbone, other conversations, and mostly another measure (`lmem.experiments.paper`).
"""

import math
import re
from collections import defaultdict

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.evaluation.summary import headline
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS, bucket_of
from lmem.viz.plots import COLOURS, NAMES, intervals, style

FIT, PAPER = "#009E73", "#7f7f7f"
HALF = 0.45  # of a bucket's width, as drawn
POINTS = 8  # raw points in a bucket, at most
OPEN = {"symbol": "diamond-open", "size": 10, "line": {"width": 2}}  # the paper's values
DASHES = ("solid", "dot", "dashdot")  # of a method and its variants
SCALES, SYMBOLS = ("#0072B2", "#D55E00", "#009E73"), ("circle", "square", "diamond")
WORDS = {"em": "exact match", "f1": "F1"}


def forgetting(result, title, measure="em", paper=None):
    """A score by lag: buckets of the paper, each drawn equally wide, and inside them the raw points.

    result   of `lmem evaluate`
    measure  "em" or "f1"
    paper    (name, five percentages): a recall rate that the paper prints
    raises   InputError for a result without forgetting curves
    """
    curves = result["summary"].get("forgetting")
    if curves is None:
        raise InputError(
            "expected a result with forgetting curves: one that was asked of null rows too"
        )
    right, rate = curves[f"{measure} right"], curves["recall_rate"]
    full = [i for i, n in enumerate(right["n"]) if n]
    shown = range(len(BUCKETS)) if paper else full
    wrong = headline(result["summary"])[1]
    figure = go.Figure()
    if wrong:
        _band(figure, curves[f"{measure} {wrong}"], full, wrong)
    _raw(figure, result["questions"], measure)
    found = [{"mean": right["raw"][i], **_ends(right, i)} for i in full]
    figure.add_scatter(
        x=full, y=[_percent(right["raw"][i]) for i in full], error_y=intervals(found), mode="markers",
        name="right bank, bucket mean", marker={"color": COLOURS["right"], "size": 11},
        hovertemplate="%{y}%<extra>right bank</extra>",
    )  # fmt: skip
    for curve, name, dash in (
        (right, "its isotonic fit", "solid"),
        (rate, "recall rate, isotonic", "dot"),
    ):
        x, y = _steps(full, [_percent(curve["fit"][i]) for i in full])
        colour = COLOURS["right"] if dash == "solid" else FIT
        line = {"color": colour, "dash": dash, "width": 2}
        figure.add_scatter(x=x, y=y, name=name, mode="lines", line=line)
    if paper:
        name, rates = paper
        figure.add_scatter(
            x=list(shown), y=list(rates), name=f"paper, {name}: its recall rate", mode="lines+markers",
            marker=OPEN, line={"color": PAPER, "dash": "dash", "width": 1},
        )  # fmt: skip
    spoken = ", ".join(f"{BUCKET_NAMES[i]}: {_percent(right['raw'][i])}" for i in full)
    alt = f"{WORDS[measure]} in percent by lag in turns; right bank {spoken}"
    if wrong:
        beside = [_percent(curves[f"{measure} {wrong}"]["raw"][i]) for i in full]
        alt += f"; {NAMES[wrong]} {', '.join(map(str, beside))}"
    alt += f"; the paper's {paper[0]} {', '.join(map(str, paper[1]))}" if paper else ""
    style(figure, title, f"{alt}.", "lag of the evidence, turns", f"{WORDS[measure]}, %", 480)
    labels = [f"{BUCKET_NAMES[i]}<br>n = {right['n'][i]}" for i in shown]
    figure.update_xaxes(
        tickvals=list(shown), ticktext=labels, tickangle=0, tickfont_size=11, zeroline=False
    )
    return figure.update_layout(margin_b=190 if paper else 170)


def _band(figure, curve, full, wrong):
    """The wrong bank's 95% interval, a box for each bucket."""
    x, y = [], []
    for i in full:
        low, high = (_percent(end) for end in _ends(curve, i).values())
        if low is not None:
            x += [i - HALF, i + HALF, i + HALF, i - HALF, i - HALF, None]
            y += [low, low, high, high, low, None]
    figure.add_scatter(
        x=x, y=y, fill="toself", mode="lines", name=f"{NAMES[wrong]}, 95%", hoverinfo="skip",
        line={"color": COLOURS[wrong], "width": 2}, fillcolor="rgba(213,94,0,0.25)",
    )  # fmt: skip


def _raw(figure, questions, measure):
    """Means of the right bank over neighbouring lags; the larger the point the more questions."""
    last = 1 + max((row["lag"] for row in questions if row["lag"] is not None), default=0)
    groups = defaultdict(list)
    for row in questions:
        if row["answerable"] and row["lag"] is not None:
            i = bucket_of(row["lag"])
            low, high = BUCKETS[i]
            part = int((row["lag"] - low) / (min(high, max(last, low + 1)) - low) * POINTS)
            groups[i, min(part, POINTS - 1)].append(row["right"][measure])
    most = max((len(values) for values in groups.values()), default=1)
    places = sorted(groups)
    figure.add_scatter(
        x=[round(i - HALF + 2 * HALF * (part + 0.5) / POINTS, 3) for i, part in places],
        y=[_percent(np.mean(groups[place])) for place in places],
        text=[f"{len(groups[place])} questions" for place in places],
        mode="markers", name="right bank, neighbouring lags", hovertemplate="%{y}%, %{text}<extra></extra>",
        marker={
            "color": COLOURS["none"], "opacity": 0.7,
            "size": [round(4 + 8 * math.sqrt(len(groups[place]) / most), 1) for place in places],
        },
    )  # fmt: skip


def _steps(places, values):
    """A line that is level inside each bucket and broken between two."""
    x, y = [], []
    for place, value in zip(places, values, strict=True):
        x += [place - HALF, place + HALF, None]
        y += [value, value, None]
    return x, y


def _ends(curve, i):
    return {end: curve[end][i] if end in curve else None for end in ("low", "high")}


def _percent(value):
    return None if value is None else round(100 * float(value), 1) + 0.0


def knowledge(curves, title, paper=None):
    """Mean F1 after each session: over the questions that can be asked by then, a growing set, and over a fixed panel.

    curves  {"right": curve, "none": curve} of `lmem.metrics.forgetting.knowledge_curve`
    paper   (name, (K_S, K_S - K_1)) as the paper prints them
    """
    main = curves.get("right") or curves["none"]
    sessions = list(range(1, len(main["k"]) + 1))
    figure = go.Figure()
    for name, key, said, dash in (
        ("right", "k", "all questions so far", "solid"),
        ("right", "panel", f"the {main['panel_n']} questions of session 1", "dash"),
        ("none", "k", "all questions so far", "dot"),
    ):
        if name in curves:
            figure.add_scatter(
                x=sessions, y=[_percent(v) for v in curves[name][key]], name=f"{NAMES[name]}, {said}",
                mode="lines+markers", line={"color": COLOURS[name], "dash": dash},
            )  # fmt: skip
    if paper:
        name, (last, gain) = paper
        figure.add_scatter(
            x=[1, sessions[-1]], y=[round(last - gain, 2), last], name=f"paper, {name}: first and last of its sessions",
            mode="markers", marker={**OPEN, "color": PAPER},
        )  # fmt: skip
    spoken = ", ".join(f"{s}: {_percent(v)}" for s, v in zip(sessions, main["k"], strict=True))
    alt = f"Lines of mean F1 in percent after each session; all questions so far {spoken}; "
    alt += f"fixed panel {', '.join(str(_percent(v)) for v in main['panel'])}."
    style(figure, title, alt, "sessions written", "mean F1, %", height=460)
    labels = [f"{s}<br>n = {n}" for s, n in zip(sessions, main["n"], strict=True)]
    figure.update_xaxes(tickvals=sessions, ticktext=labels)
    return figure.update_layout(margin_b=170)


LEVELS = {
    "baseline": "F_base, bare backbone",
    "null_rows": "F_0, zero rows read",
    "right": "F_mem, right bank",
}
SEEN = {  # all three can be seen where they fall together
    "baseline": {"symbol": "line-ns-open", "size": 20, "line": {"width": 2}},
    "null_rows": {"symbol": "circle-open", "size": 14, "line": {"width": 2}},
    "right": {"symbol": "circle", "size": 8},
}


def f1_levels(summary):
    """F1 of the bare backbone, of zero rows and of the right bank, from a result's summary: {name: {mean, low, high}}."""
    return {name: summary["conditions"][name]["f1"] for name in LEVELS}


def tax_and_benefit(ours, title, paper=None):
    """Adapter tax and net benefit as what they are differences of: three levels of F1 for each method.

    ours   {method: {"baseline", "null_rows", "right": {mean, low, high}}}, fractions
    paper  {method: {"baseline", "null_rows", "right"}}, percent
    """
    figure = go.Figure()
    rows, beside = list(ours), [f"{name}, paper" for name in paper or ()]
    for name, said in LEVELS.items():
        found = [ours[row][name] for row in rows]
        figure.add_scatter(
            x=[_percent(f["mean"]) for f in found], y=rows, error_x=intervals(found), mode="markers",
            name=said, marker={"color": COLOURS[name], **SEEN[name]},
        )  # fmt: skip
    for name in LEVELS if paper else ():
        figure.add_scatter(
            x=[levels[name] for levels in paper.values()], y=beside, mode="markers",
            name=f"paper, {LEVELS[name].split(',')[0]}", marker={**OPEN, "color": COLOURS[name]},
        )  # fmt: skip
    spoken = [
        f"{row} {', '.join(str(_percent(ours[row][name]['mean'])) for name in LEVELS)}"
        for row in rows
    ]
    spoken += [f"{row}, paper {', '.join(map(str, each.values()))}" for row, each in (paper or {}).items()]  # fmt: skip
    alt = f"Points of F1 in percent: bare backbone, zero rows, right bank. {'; '.join(spoken)}."
    height = 190 + 26 * len(rows + beside)
    style(figure, title, alt, "F1, %", None, height=height)
    figure.update_yaxes(autorange="reversed", automargin=True, ticks="")
    return figure.update_layout(margin_b=150 if paper else 115)


def capacity(curves, title, paper=None):
    """Memory score by the size of the bank, above in points of exact match, below in bits, with 95% intervals.

    curves  {name: lines as of `lmem.experiments.sweep.gather`, of growing scale}
    paper   {name: {scale: mean recall rate, percent}}: a third panel, for it is another measure
    """
    panels = 3 if paper else 2
    figure = make_subplots(rows=panels, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    colours, drawn = [*COLOURS.values(), "#009E73"], {}
    for name in [
        *curves,
        *(paper or {}),
    ]:  # one colour for a method, one dash for each variant of it
        drawn.setdefault(re.split("[ ,]", name)[0], {}).setdefault(name)
    looks = {
        name: {"color": colours[i % len(colours)], "dash": DASHES[k % len(DASHES)]}
        for i, variants in enumerate(drawn.values())
        for k, name in enumerate(variants)
    }
    for name, lines in curves.items():
        for row, key, unit, digits in ((1, "memory", 100, 1), (2, "bits", 1, 2)):
            found = [line[key] for line in lines]
            figure.add_scatter(
                x=[line["scale"] for line in lines],
                y=[round(unit * f["mean"], digits) for f in found],
                error_y=intervals(found, unit, digits),
                name=name, legendgroup=name, showlegend=row == 1, mode="lines+markers",
                line=looks[name], row=row, col=1,
            )  # fmt: skip
    spoken = "; ".join(
        f"{name} "
        + ", ".join(f"{100 * line['memory']['mean']:.1f} at {line['scale']:g}x" for line in lines)
        for name, lines in curves.items()
    )
    alt = f"Lines of the memory score in points of exact match and in bits by the size of the bank; points: {spoken}."
    scales = {line["scale"] for lines in curves.values() for line in lines}
    for name, rates in (paper or {}).items():
        scales |= set(rates)
        figure.add_scatter(
            x=list(rates), y=list(rates.values()), name=f"paper, {name}", mode="lines+markers", marker=OPEN,
            line={**looks[name], "dash": "dash", "width": 1}, row=3, col=1,
        )  # fmt: skip
    if paper:
        spoken = (
            f"{n} {', '.join(f'{v} at {k:g}x' for k, v in r.items())}" for n, r in paper.items()
        )
        alt += f" The paper's recall rates, percent: {'; '.join(spoken)}."
    size, height = "size of the bank (1x is 64 rows)", 860 if paper else 620
    style(figure, title, alt, size, "memory score, points", height)
    scales = sorted(scales)
    figure.update_xaxes(type="log", tickvals=scales, ticktext=[f"{scale:g}x" for scale in scales])
    for row in range(1, panels):
        figure.update_xaxes(title=None, row=row)
    figure.update_yaxes(title="memory score, bits", row=2)
    return figure.update_yaxes(title="paper's recall rate, %", row=3) if paper else figure


def rows_cost(by_rows, bare, title):
    """Milliseconds of a write and of a read by the bank's rows, both axes logarithmic.

    by_rows  rows of `lmem bench write`: dicts of kind ("write", "read"), name, rows, ms
    bare     milliseconds of the same question without a bank
    """
    figure, lines = go.Figure(), {}
    for row in by_rows:
        lines.setdefault((row["kind"], row["name"]), []).append(row)
    colours = [*COLOURS.values(), "#009E73"]
    for place, ((kind, name), rows) in enumerate(lines.items()):
        figure.add_scatter(
            x=[row["rows"] for row in rows],
            y=[float(f"{row['ms']:.3g}") for row in rows],
            name=f"{kind} {name}", mode="lines+markers",
            line={"color": colours[place % len(colours)], "dash": "solid" if kind == "read" else "dot"},
        )  # fmt: skip
    sizes = sorted({row["rows"] for row in by_rows})
    figure.add_scatter(
        x=[sizes[0], sizes[-1]], y=[float(f"{bare:.3g}")] * 2, name="a question without a bank",
        mode="lines", line={"color": "#7f7f7f", "dash": "dash"},
    )  # fmt: skip
    spoken = "; ".join(
        f"{kind} {name} {rows[0]['ms']:.3g} at {rows[0]['rows']} rows, {rows[-1]['ms']:.3g} at {rows[-1]['rows']}"
        for (kind, name), rows in lines.items()
    )
    alt = f"Lines of the milliseconds of a write and a read by the bank's rows: {spoken}; without a bank {bare:.3g}."
    style(figure, title, alt, "rows of the bank", "milliseconds", height=560)
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return figure.update_yaxes(type="log")


def losses(values, title="training loss", window=25):
    """A training curve, as the mean of every `window` steps."""
    means = [float(np.mean(values[i : i + window])) for i in range(0, len(values), window)]
    steps = [min(len(values), i + window) for i in range(0, len(values), window)]
    figure = go.Figure(
        go.Scatter(x=steps, y=[round(m, 3) for m in means], line={"color": "#0072B2"})
    )
    alt = f"Training loss over {len(values)} steps, from {means[0]:.2f} to {means[-1]:.2f} nats per token."
    return style(figure, title, alt, "step", "loss, nats per token")


def ladder(steps, title):
    """The ablation ladder: the memory score after each change to the method, at every size of the bank.

    steps   list of (label, {scale: (estimate, low, high)}), from the method as printed on, each step with all changes before
            it; fractions of exact match. low and high may be None
    raises  InputError without a step
    """
    if not steps:
        raise InputError("expected at least one step of the ladder, got none")
    figure = go.Figure()
    scales = sorted({scale for _, found in steps for scale in found})
    for place, scale in enumerate(scales):
        here = [(i, found[scale]) for i, (_, found) in enumerate(steps) if scale in found]
        apart = round(0.24 * (place - (len(scales) - 1) / 2), 2)  # so that intervals do not overlap
        figure.add_scatter(
            x=[_percent(estimate) for _, (estimate, _, _) in here], y=[i + apart for i, _ in here],
            error_x=intervals([{"mean": e, "low": low, "high": high} for _, (e, low, high) in here]),
            mode="lines+markers", name=f"{scale:g}x", hovertemplate="%{x}<extra></extra>",
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 10},
            line={"color": SCALES[place % len(SCALES)], "width": 1, "dash": "dot"},
        )  # fmt: skip
    spoken = "; ".join(
        f"{label} {', '.join(f'{_percent(e[0])} at {scale:g}x' for scale, e in sorted(found.items()))}"
        for label, found in steps
    )
    alt = f"Points of the memory score, right minus wrong bank, after each change: {spoken}."
    style(figure, title, alt, "memory score, points", None, height=190 + 46 * len(steps))
    figure.update_xaxes(zeroline=True, zerolinewidth=2, showgrid=True)
    labels = [label for label, _ in steps]
    return figure.update_yaxes(
        tickvals=list(range(len(steps))), ticktext=labels, range=[len(steps) - 0.5, -0.5],
        automargin=True, zeroline=False,
    )  # fmt: skip
