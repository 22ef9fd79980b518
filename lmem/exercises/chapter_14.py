"""Checks of chapter 14: where a keyed write puts a turn, how long it stays, what a read with an empty hand tells."""

import math

from lmem.exercises.exercise import exercise


@exercise("14.1")
def place(answer):
    """The row that a turn takes: (likeness to the key of each row, age of each row, theta, keep, corrects) to its number or None."""
    hint = (
        "does the turn tell anything? does it correct something that is there? else the oldest row"
    )
    yield ([0.2, 0.9, 0.4], [7, 3, 5], 0.8, True, True), 1, hint  # 0.9 > 0.8
    yield (
        ([0.2, 0.9, 0.4], [7, 3, 5], 0.8, True, False),
        0,
        "a turn that corrects nothing takes the oldest row",
    )
    yield (
        ([0.2, 0.7, 0.4], [2, 3, 5], 0.8, True, True),
        2,
        "a correction of what is not in the bank is a new fact",
    )
    yield (
        ([0.2, 0.9, 0.4], [7, 3, 5], 0.8, False, True),
        None,
        "what is not worth keeping takes no row",
    )


@exercise(
    "14.2",
    "a correction takes the row of the old value, so count the facts that are alive; the newest of them stay",
)
def kept_share(answer):
    """Share of the live facts that are still in the bank: (turns, share that tells facts, share of those that correct, rows)."""
    yield (600, 0.35, 0.2, 84), 0.5  # 210 facts, 42 correct, 168 alive
    yield (100, 0.4, 0.0, 40), 1.0
    yield (100, 0.1, 0.0, 64), 1.0, "no more than all of them"
    yield (2000, 0.5, 0.5, 125), 0.25  # 1,000 facts, 500 alive


@exercise("14.3", "it is kept with b, and every later turn leaves it with 1 - b e m")
def stays(answer):
    """Weight of a turn in the rehearsal: (b, [(b, e, m) of each later turn]), all probabilities, to w."""
    yield (0.9, []), 0.9
    yield (1.0, [(1.0, 1.0, 0.75)]), 0.25
    yield (
        (0.8, [(0.5, 0.5, 1.0), (1.0, 0.0, 1.0)]),
        0.6,
        "a later turn that corrects nothing takes nothing",
    )
    yield (1.0, [(0.0, 1.0, 1.0)]), 1.0, "a later turn that is not kept takes nothing"
    twice = "the second takes its share of what the first has left"
    yield (1.0, [(1.0, 1.0, 0.5), (1.0, 1.0, 0.5)]), 0.25, twice


@exercise(
    "14.4",
    "one more score, beta (1 - nu), stands beside beta times each likeness; then the softmax",
)
def empty_hand(answer):
    """Share of the empty hand: (likeness of the question's key to each row's, beta, nu) to p_0."""
    yield ([0.7], 10.0, 0.3), 0.5
    yield ([0.7, 0.7], 10.0, 0.3), 1 / 3, "every row has its part in the sum"
    yield ([], 10.0, 0.3), 1.0, "nothing in the bank: the hand is empty"
    yield ([1.0, 0.0], 20.0, 0.5), 1 / (1 + math.exp(10.0) + math.exp(-10.0))
