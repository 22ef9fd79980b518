"""The forgetting curve: a score by lag, from a result file; and the knowledge curve: a score by session (chapter 11).

    recall rate   rho = max(0, F_mem - F_0) / max(1 - F_0, eps)      `lmem.metrics.forgetting`

The paper's values, if they are drawn, are open diamonds with a name of their own. They are of another backbone, other
conversations, and mostly another measure (`lmem.experiments.paper`).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.evaluation.summary import headline
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS, bucket_of
from lmem.viz.colours import COLOURS, GREEN, GREY, NAMES
from lmem.viz.plots import error_bars, line, percent, style

HALF = 0.45  # of a bucket's width, as drawn
POINTS = 8  # raw points in a bucket, at most
PAPER_MARK = {"symbol": "diamond-open", "size": 10, "line": {"width": 2}}
MEASURES = {"em": "exact match", "f1": "F1"}
KNOWLEDGE = (  # condition, key of its curve, name, dash
    ("right", "k", "all questions so far", "solid"),
    ("right", "panel", "the {} questions of session 1", "dash"),
    ("none", "k", "all questions so far", "dot"),
)


def forgetting_curve(
    result: dict, title: str, measure: str = "em", paper: tuple[str, Sequence[float]] | None = None
) -> go.Figure:
    """Draw a score by lag: the paper's buckets, all equally wide, and inside them means over neighbouring lags.

    Args:
        result: Of `lmem evaluate`.
        title: The heading.
        measure: "em" or "f1".
        paper: (name, five percentages) of a recall rate that the paper prints.

    Raises:
        InputError: The result has no forgetting curves.
    """
    curves = result["summary"].get("forgetting")
    if curves is None:
        raise InputError(
            "expected a result with forgetting curves: one that was asked of null rows too"
        )
    right = curves[f"{measure} right"]
    full = [i for i, n in enumerate(right["n"]) if n]
    shown = list(range(len(BUCKETS)) if paper else full)
    means = _percents(right["raw"], full)
    spoken = ", ".join(f"{BUCKET_NAMES[i]}: {mean}" for i, mean in zip(full, means, strict=True))
    alt = f"{MEASURES[measure]} in percent by lag in turns; right bank {spoken}"
    figure = go.Figure()
    if wrong := headline(result["summary"])[1]:
        curve = curves[f"{measure} {wrong}"]
        figure.add_trace(_interval_boxes(curve, full, wrong))
        alt += f"; {NAMES[wrong]} {', '.join(map(str, _percents(curve['raw'], full)))}"
    figure.add_trace(_neighbouring_lags(result["questions"], measure))
    intervals = [{"mean": right["raw"][i], **_interval(right, i)} for i in full]
    look = {"mode": "markers", "marker": {"color": COLOURS["right"], "size": 11}}
    look |= {"error_y": error_bars(intervals), "hovertemplate": "%{y}%<extra>right bank</extra>"}
    figure.add_trace(line(full, means, "right bank, bucket mean", **look))
    for curve, name, colour, dash in (
        (right, "its isotonic fit", COLOURS["right"], "solid"),
        (curves["recall_rate"], "recall rate, isotonic", GREEN, "dot"),
    ):
        x, y = _steps(full, _percents(curve["fit"], full))
        figure.add_trace(line(x, y, name, colour, dash, 2))
    if paper:
        name, mode = f"paper, {paper[0]}: its recall rate", "lines+markers"
        figure.add_trace(line(shown, paper[1], name, GREY, "dash", 1, mode, marker=PAPER_MARK))
        alt += f"; the paper's {paper[0]} {', '.join(map(str, paper[1]))}"
    x, y, bottom = "lag of the evidence, turns", f"{MEASURES[measure]}, %", 190 if paper else 170
    style(figure, title, f"{alt}.", x, y, 480, b=bottom)
    labels = [f"{BUCKET_NAMES[i]}<br>n = {right['n'][i]}" for i in shown]
    return figure.update_xaxes(
        tickvals=shown, ticktext=labels, tickangle=0, tickfont_size=11, zeroline=False
    )


def _interval_boxes(curve: dict, full: Sequence[int], wrong: str) -> go.Scatter:
    """The wrong bank's 95% interval, a box for each bucket."""
    x, y = [], []
    for i in full:
        low, high = (percent(end) for end in _interval(curve, i).values())
        if low is not None:
            x += [i - HALF, i + HALF, i + HALF, i - HALF, i - HALF, None]
            y += [low, low, high, high, low, None]
    look = {"fill": "toself", "fillcolor": "rgba(213,94,0,0.25)", "hoverinfo": "skip"}
    return line(x, y, f"{NAMES[wrong]}, 95%", COLOURS[wrong], width=2, **look)


def _neighbouring_lags(questions: Sequence[dict], measure: str) -> go.Scatter:
    """Means of the right bank over neighbouring lags; the larger the point the more questions."""
    last = 1 + max((row["lag"] for row in questions if row["lag"] is not None), default=0)
    groups = defaultdict(list)
    for row in questions:
        i = bucket_of(row["lag"])
        if row["answerable"] and i is not None:
            low, high = BUCKETS[i]
            part = int((row["lag"] - low) / (min(high, max(last, low + 1)) - low) * POINTS)
            groups[i, min(part, POINTS - 1)].append(row["right"][measure])
    most = max((len(values) for values in groups.values()), default=1)
    places = sorted(groups)
    counts = [len(groups[place]) for place in places]
    sizes = [round(4 + 8 * math.sqrt(count / most), 1) for count in counts]
    x = [round(i - HALF + 2 * HALF * (part + 0.5) / POINTS, 3) for i, part in places]
    y = [percent(float(np.mean(groups[place]))) for place in places]
    hover, words = "%{y}%, %{text}<extra></extra>", [f"{count} questions" for count in counts]
    marker = {"color": COLOURS["none"], "opacity": 0.7, "size": sizes}
    look = {"mode": "markers", "marker": marker}
    return line(x, y, "right bank, neighbouring lags", text=words, hovertemplate=hover, **look)


def _steps(places: Sequence[int], values: Sequence) -> tuple[list, list]:
    """x and y of a line that is level inside each bucket and broken between two."""
    x, y = [], []
    for place, value in zip(places, values, strict=True):
        x += [place - HALF, place + HALF, None]
        y += [value, value, None]
    return x, y


def _percents(values: Sequence, places: Sequence[int]) -> list:
    return [percent(values[i]) for i in places]


def _interval(curve: dict, i: int) -> dict:
    return {end: curve[end][i] if end in curve else None for end in ("low", "high")}


def knowledge_curve(
    curves: Mapping[str, dict], title: str, paper: tuple[str, tuple[float, float]] | None = None
) -> go.Figure:
    """Draw the mean F1 after each session, over all questions that can be asked by then and over a fixed panel.

    Args:
        curves: {"right": curve, "none": curve} of `lmem.metrics.forgetting.knowledge_curve`.
        title: The heading.
        paper: (name, (K_S, K_S - K_1)) as the paper prints them.
    """
    main = curves.get("right") or curves["none"]
    sessions = list(range(1, len(main["k"]) + 1))
    figure, mode = go.Figure(), "lines+markers"
    for name, key, questions, dash in KNOWLEDGE:
        if name in curves:
            y, label = map(percent, curves[name][key]), questions.format(main["panel_n"])
            label = f"{NAMES[name]}, {label}"
            figure.add_trace(line(sessions, y, label, COLOURS[name], dash, mode=mode))
    if paper:
        name, (last, gain) = paper
        name, look = f"paper, {name}: first and last of its sessions", PAPER_MARK | {"color": GREY}
        ends = [1, sessions[-1]], [round(last - gain, 2), last]
        figure.add_trace(line(*ends, name, mode="markers", marker=look))
    spoken = ", ".join(f"{s}: {percent(k)}" for s, k in zip(sessions, main["k"], strict=True))
    alt = (
        f"Lines of mean F1 in percent after each session; all questions so far {spoken}; "
        f"fixed panel {', '.join(str(percent(k)) for k in main['panel'])}."
    )
    style(figure, title, alt, "sessions written", "mean F1, %", height=460, b=170)
    labels = [f"{s}<br>n = {n}" for s, n in zip(sessions, main["n"], strict=True)]
    return figure.update_xaxes(tickvals=sessions, ticktext=labels)
