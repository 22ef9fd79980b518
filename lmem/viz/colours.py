"""Colours and line styles of all figures, safe for colour-blind readers (Okabe and Ito)."""

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, GREY = "#E69F00", "#56B4E9", "#7f7f7f"
SIGNED = [  # numbers of a bank: blue below zero, orange above, at zero the ground of the page
    [0, "rgba(0,114,178,1)"],
    [0.5, "rgba(128,128,128,0)"],
    [1, "rgba(213,94,0,1)"],
]
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
