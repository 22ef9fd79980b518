"""Colours and line styles of all figures, safe for colour-blind readers (Okabe and Ito)."""

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, GREY = "#E69F00", "#56B4E9", "#7f7f7f"
COLOURS = {  # by what the decoder reads: the conditions of an evaluation
    "right": BLUE,
    "twin": ORANGE,
    "other": AMBER,
    "none": SKY,
    "null_rows": PURPLE,
    "baseline": GREY,
}
NAMES = {
    "right": "right bank",
    "twin": "twin's bank",
    "other": "another's bank",
    "none": "no bank",
    "null_rows": "null rows",
    "baseline": "bare backbone",
}
LOOKS = (  # lines that differ in colour, dash and marker
    (BLUE, "solid", "circle"),
    (ORANGE, "dash", "square"),
    (GREEN, "dot", "diamond"),
    (PURPLE, "dashdot", "x"),
    (AMBER, "longdash", "cross"),
    (SKY, "solid", "triangle-up"),
)
