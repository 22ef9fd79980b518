"""Checks of chapter 16: turns that fit into a budget, a word's weight in BM25, when text outgrows a bank."""

import math

from lmem.exercises.exercise import exercise


@exercise("16.1", "begin with the newest turn and stop at the first that does not fit")
def last_k(answer):
    """(tokens of each turn, oldest first; budget of tokens) to the numbers of the newest turns that fit, ascending."""
    yield ([10, 12, 8], 20), [1, 2]
    yield ([10, 12, 8], 19), [2]
    yield (
        ([3, 30, 4], 20),
        [2],
        "no gaps: an older turn must not slip in behind one that was too long",
    )
    yield ([30], 20), [], "nothing fits: an empty list"


@exercise("16.2")
def word_weight(answer):
    """(number of turns, how many of them hold the word) to the word's weight in BM25."""
    hint = "ln(1 + (N - n + 0.5) / (n + 0.5)), the natural logarithm"
    yield (60, 1), math.log(1 + 59.5 / 1.5), hint
    yield (60, 60), math.log(1 + 0.5 / 60.5), "a word that every turn holds weighs nearly nothing"


@exercise("16.3")
def break_even(answer):
    """(bytes of a turn's text, bytes of the bank) to the number of the first turn at which the text is larger than the bank."""
    yield (50, 1000), 21, "at turn 20 they are equal; larger is later"
    yield (30, 100), 4, "3 turns are 90 bytes, 4 are 120"
    yield (200, 100), 1, "the first turn may be enough"
