"""What a decay leaves of a turn, by the number of turns written after it (chapter 2).

share left = gamma^lag      in a bank whose rows are all multiplied by gamma with each turn
"""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.experiments import paper
from lmem.metrics.forgetting import BUCKET_NAMES, BUCKETS
from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.plots import add_slider, column, grouped, line, significant, style

BF16 = 2.0**-8  # added to 1, a smaller number is rounded away in bfloat16
GAMMAS = (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)
LONGEST = 384  # the largest lag that is drawn


def decay_rows(
    gammas: Sequence[float] = GAMMAS, lags: Iterable[int] = range(0, LONGEST + 1, 8)
) -> list[dict]:
    """Compute the share of a turn that is left, to three digits.

    Args:
        gammas: Decays.
        lags: Numbers of later turns.

    Returns:
        Rows {gamma, lag, left}.

    Raises:
        InputError: A gamma is outside (0, 1].
    """
    if not all(0 < gamma <= 1 for gamma in gammas):
        raise InputError(f"expected decays in (0, 1], not {list(gammas)}")
    return [
        {"gamma": gamma, "lag": lag, "left": significant(gamma**lag)}
        for gamma in gammas
        for lag in lags
    ]


def draw_decay(rows: Sequence[dict], shown: float | None = None) -> go.Figure:
    """Draw the share left by lag, on a log scale, with a slider over the decay, and the paper's questions in each bucket.

    Args:
        rows: Of `decay_rows`.
        shown: The decay that is drawn first; default: the second.
    """
    by_gamma = grouped(rows, "gamma")
    gammas = list(by_gamma)
    frames = []
    for here in by_gamma.values():
        lags, left = column(here, "lag"), column(here, "left")
        hover = "%{y} after %{x} turns<extra></extra>"
        share = line(lags, left, "left of the turn", BLUE, width=3, hovertemplate=hover)
        name = "bfloat16 rounds it away next to a 1"
        unit = line([lags[0], lags[-1]], [BF16] * 2, name, ORANGE, "dash", 2, hoverinfo="skip")
        frames.append([share, unit])
    place = min(1, len(gammas) - 1) if shown is None else gammas.index(shown)
    starts = {low for low, _ in BUCKETS}
    here = [row for row in by_gamma[gammas[place]] if row["lag"] in starts]
    ends = ", ".join(f"{row['left']:g} after {row['lag']}" for row in here)
    alt = (
        "Line of the share of a turn that is left, by the number of later turns, on a log scale, with a slider over "
        f"the decay. At {gammas[place]:g}: {ends}. Above it the questions of each bucket: {', '.join(map(str, paper.QUESTIONS))}."
    )
    title = "Every later turn takes the same share away"
    x, y = "lag: turns written since", "share left"
    figure = style(go.Figure(), title, alt, x, y, 540, t=110, b=190)
    grey = {"color": "rgba(128,128,128,0.6)", "width": 1, "dash": "dot"}
    for i, (low, high) in enumerate(BUCKETS):
        if i:
            figure.add_vline(low, line=grey)
        note = {"text": f"n={paper.QUESTIONS[i]}", "hovertext": f"lag {BUCKET_NAMES[i]}"}
        note |= {"font": {"size": 11}, "showarrow": False, "textangle": -90 if i < 2 else 0}
        note |= {"x": (low + min(high, LONGEST)) / 2, "y": 1.02, "yref": "paper"}
        figure.add_annotation(note, yanchor="bottom")
    figure.update_yaxes(type="log", range=[-8.2, 0.3], dtick=2, exponentformat="power")
    figure.update_xaxes(range=[0, LONGEST])
    return add_slider(figure, frames, [f"{gamma:g}" for gamma in gammas], "decay: ", shown=place)
