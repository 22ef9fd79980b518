"""Two facts in one matrix (chapter 7): what each key recalls, by how alike the keys are.

    Hebbian   M = k1 v1^T + k2 v2^T                      k1 recalls v1 + c v2            k2 recalls v2 + c v1
    delta     M = k1 v1^T + k2 (v2 - c v1)^T             k1 recalls (1 - c^2) v1 + c v2  k2 recalls v2

Keys of length 1, c their cosine; values of length 1 at right angles; the delta rule with strength 1; fact 2 is told last.
"""

import plotly.graph_objects as go

from lmem.viz.plots import COLOURS, slide, style

CASES = (("Hebbian", 1), ("Hebbian", 2), ("delta", 1), ("delta", 2))


def two_facts(cosines=tuple(c / 10 for c in range(11))):
    """What is recalled of both values.

    returns  rows {cosine, rule, asked (which key), v1, v2 (shares of the values in what is recalled)}
    """
    rows = []
    for c in cosines:
        found = {
            ("Hebbian", 1): (1.0, c),
            ("Hebbian", 2): (c, 1.0),
            ("delta", 1): (1 - c * c, c),
            ("delta", 2): (0.0, 1.0),
        }
        for (rule, asked), (v1, v2) in found.items():
            rows.append(
                {"cosine": c, "rule": rule, "asked": asked, "v1": round(v1, 3), "v2": round(v2, 3)}
            )
    return rows


def draw_two_facts(rows):
    """Bars of both values in what each key recalls; a slider over the keys' cosine."""
    cosines = sorted({row["cosine"] for row in rows})
    labels = [f"{rule},<br>key {asked}" for rule, asked in CASES]
    frames = []
    for c in cosines:
        here = {(row["rule"], row["asked"]): row for row in rows if row["cosine"] == c}
        frames.append(
            [
                go.Bar(
                    x=labels, y=[here[case][key] for case in CASES], name=name,
                    marker={"color": colour, "pattern": {"shape": shape}},
                )
                for key, name, colour, shape in (
                    ("v1", "value of fact 1, told first", COLOURS["right"], ""),
                    ("v2", "value of fact 2, told last", COLOURS["other"], "/"),
                )
            ]
        )  # fmt: skip
    alt = (
        "Bars of how much of two values each key recalls, for the Hebbian and the delta rule, with a slider over the cosine of the keys. "
        "At 0 both rules recall each value alone. As the keys become alike, the Hebbian rule recalls both values with either key; the delta "
        "rule recalls with the second key the second value alone, and at 1 with either."
    )
    figure = style(
        go.Figure(),
        "What a key recalls",
        alt,
        "rule, and which key asks",
        "share of the value",
        500,
    )
    figure.update_yaxes(range=[0, 1.05])
    figure.update_xaxes(tickangle=0)
    figure.update_layout(barmode="group")
    return slide(
        figure,
        frames,
        [f"{c:.1f}" for c in cosines],
        "cosine of the keys: ",
        shown=len(cosines) // 2,
    )
