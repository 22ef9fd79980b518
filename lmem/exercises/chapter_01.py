"""Checks of chapter 1: what a bank of newest latents keeps, how it is written, and what counts as memory."""

import torch

from lmem.exercises.exercise import exercise


@exercise(
    "1.1",
    "begin with the newest turn, the last of the list, and stop at the first that does not fit",
)
def turns_kept(answer):
    """How many of the newest turns are whole in a bank of so many rows: (tokens of each turn, oldest first; rows)."""
    yield ([10, 12, 8], 20), 2  # 8 + 12 = 20, just full
    yield ([10, 12, 8], 19), 1  # 8, and 11 rows of 12
    yield ([30], 20), 0, "a turn that is cut is not whole"
    yield ([3, 4], 20), 2, "a bank that is not full keeps all"


@exercise("1.2")
def push_out(answer):
    """The recent write on plain rows: (R, D) rows, oldest first, and a turn's (N, D) latents to the new (R, D)."""
    rows = torch.arange(8.0).reshape(4, 2)
    turn = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])
    hint = "put the turn behind the rows; how many at the end are the bank?"
    yield (rows, turn), torch.cat([rows[2:], turn]), hint
    yield (
        (rows, torch.cat([turn, turn, turn])),
        turn.repeat(2, 1),
        "a turn may be longer than the bank",
    )
    yield (rows, turn[:0]), rows, "a turn of no tokens leaves the bank as it is"


@exercise("1.3", "a bank that does harm scores below 0; nothing may be cut off")
def memory_score(answer):
    """Right minus wrong in points: (scores with the right bank, scores with a wrong one), 0 or 1 each, same questions."""
    yield (
        ([1, 1, 1, 0], [0, 1, 0, 0]),
        50.0,
        "the mean of the differences, times 100",
    )  # (1 + 0 + 1 + 0) / 4
    yield ([0, 1], [1, 1]), -50.0  # (-1 + 0) / 2
    yield ([1, 0, 0, 1], [0, 1, 1, 0]), 0.0  # (1 - 1 - 1 + 1) / 4
