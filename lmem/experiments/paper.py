"""What the paper prints (arXiv 2603.16413v1), to stand beside our figures under its own name; never mixed with ours.

All in percent, of Flan-T5-XL on LoCoMo, one seed, no intervals. Its recall rate is smoothed: a gain over zero rows, clipped at 0.
"""

RECALL = {  # table 3: {scale: {method: recall rate by bucket of lag}}
    1: {
        "m0": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m1": (0.02, 0.02, 0.02, 0.02, 0.02),
        "m2": (17.85, 14.65, 9.02, 9.02, 9.02),
        "m3": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m4": (9.51, 9.51, 9.23, 9.23, 9.23),
        "m5": (0.36, 0.10, 0.10, 0.10, 0.09),
        "m6": (17.21, 13.91, 7.08, 7.08, 7.08),
    },
    10: {
        "m0": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m1": (10.75, 10.75, 9.30, 9.30, 9.20),
        "m2": (11.90, 11.90, 9.88, 9.88, 9.88),
        "m3": (15.58, 15.58, 9.69, 9.69, 9.69),
        "m4": (15.86, 11.19, 10.32, 10.32, 10.32),
        "m5": (11.22, 7.62, 7.62, 7.62, 7.62),
        "m6": (13.85, 10.60, 10.60, 10.21, 9.66),
    },
}
MEAN_RECALL = {  # table 3: {scale: {method: plain mean of the five buckets}}
    1: {"m1": 0.02, "m2": 11.91, "m3": 0.0, "m4": 9.34, "m5": 0.15, "m6": 10.47},
    10: {"m1": 9.86, "m2": 10.69, "m3": 12.05, "m4": 11.60, "m5": 8.34, "m6": 10.99},
}
QUESTIONS = (28, 24, 62, 130, 395)  # in its test split, by bucket of lag
KNOWLEDGE = {  # table 4, 1x: {method: (K_30, K_30 - K_1)}
    "m0": (5.57, 5.57),
    "m1": (0.0, 0.0),
    "m2": (11.04, 7.34),
    "m3": (0.0, 0.0),
    "m4": (10.62, 7.84),
    "m5": (0.17, 0.17),
    "m6": (9.71, 9.71),
}
F_BASE = 6.44  # table 5: F1 of the bare backbone
TAX_AND_BENEFIT = {  # table 5: {scale: {method: (F_BASE - F_0, F_mem - F_BASE)}}
    1: {
        "m1": (2.38, -6.42), "m2": (3.39, 6.76), "m3": (2.38, -6.44), "m4": (3.39, 3.10), "m5": (3.39, -6.30), "m6": (2.38, 5.75),
    },
    10: {
        "m1": (4.23, 4.00), "m2": (3.39, 5.09), "m3": (4.23, 6.26), "m4": (3.39, 5.46), "m5": (3.39, 1.83), "m6": (4.23, 5.22),
    },
}  # fmt: skip
TAX_BY_ROWS = {
    64: 2.38,
    384: 3.39,
    640: 4.23,
}  # the same taxes: one number for each number of rows that are read


def levels(method, scale=1):
    """The three F1 levels behind its tax and benefit: {"baseline", "null_rows", "right"}, percent, to two digits."""
    tax, benefit = TAX_AND_BENEFIT[scale][method]
    found = {"baseline": F_BASE, "null_rows": F_BASE - tax, "right": F_BASE + benefit}
    return {name: round(value, 2) + 0.0 for name, value in found.items()}


PARAMETERS = {  # table 2: what learns, in millions, at d = 2048 and 24 layers
    "m0": 0.0, "m1": 4.2, "m2": 16.8, "m3": 4.2, "m4": 1.0, "m5": 21.0, "m6": 4.2,
}  # fmt: skip
SESSIONS = 30  # of its knowledge curve
