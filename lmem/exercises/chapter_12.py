"""Checks of chapter 12: clipped and signed gains, exchanged banks, what zero rows take, two ways to average."""

import math

from lmem.exercises.exercise import exercise


@exercise("12.1")
def both_gains(answer):
    """(scores with the right bank, scores with a wrong one), same questions, to (mean of the clipped, mean of the signed) gain."""
    yield ([1.0, 0.0, 0.5], [0.0, 0.0, 0.5]), (1 / 3, 1 / 3), "where nothing is harmed both agree"
    harm = "clip question by question, before the mean; the signed gain is never cut"
    # gains 1, -1, -1, -1: clipped (1 + 0 + 0 + 0) / 4, signed -2 / 4
    yield ([1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]), (0.25, -0.5), harm


@exercise("12.2")
def exchanged(answer):
    """Sums of differences, one for each conversation, to the share of all ways to exchange the banks that give as large a total."""
    yield ([1.0, 2.0],), 0.25, "of 4 ways only (+, +) reaches 3; what was seen counts"
    # totals 3, 1, 1, -1, 1, -1, -1, -3 of (1, 1, 1)
    yield ([1.0, 1.0, -1.0],), 0.5, "exchange the banks of whole conversations"
    yield ([0.0, 0.0],), 1.0, "where nothing differs every way gives as much"
    # totals 0, and with a rounding of 6e-17 to either side: 0.6, 0.4, 0.2, 0, 0, -0.2, -0.4, -0.6
    rounding = (
        "allow for rounding: 0.1 + 0.2 - 0.3 is not quite 0, so let a total be smaller by 1e-9"
    )
    yield ([0.1, 0.2, -0.3],), 0.625, rounding


@exercise("12.3")
def null_share(answer):
    """(logit of the token that is looked for, number of tokens, zero rows) to the softmax mass that zero rows take."""
    # all logits 0: every position gets the same
    yield (0.0, 4, 4), 0.5, "a zero row has logit 0, and exp(0) is 1"
    yield (0.0, 12, 0), 0.0, "without rows nothing is taken"
    # e^3 + 11 + 64 = 95.0855
    yield (
        (3.0, 12, 64),
        64 / (math.exp(3) + 11 + 64),
        "the other tokens have logit 0, like the rows",
    )


@exercise("12.4")
def of_questions(answer):
    """(means of the buckets, questions in each) to (plain mean of the buckets, mean of the questions)."""
    yield ([10.0, 0.0], [1, 9]), (5.0, 1.0), "weight each bucket by its questions"
    yield ([2.0, 2.0, 2.0], [5, 1, 7]), (2.0, 2.0), "equal buckets leave no choice"
    yield ([4.0, 8.0], [0, 2]), (6.0, 8.0), "an empty bucket has no weight among the questions"
