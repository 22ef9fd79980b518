"""Checks of chapter 1: what a bank of newest latents keeps, how it is written, and what counts as memory."""

import torch

from lmem.exercises.exercise import exercise, returns


@exercise("1.1")
def turns_kept(answer):
    """How many of the newest turns are whole in a bank of so many rows: (tokens of each turn, oldest first; rows)."""
    hint = (
        "begin with the newest turn, the last of the list, and stop at the first that does not fit"
    )
    returns(answer, ([10, 12, 8], 20), 2, hint)  # 8 + 12 = 20, just full
    returns(answer, ([10, 12, 8], 19), 1, hint)  # 8, and 11 rows of 12
    returns(answer, ([30], 20), 0, "a turn that is cut is not whole")
    returns(answer, ([3, 4], 20), 2, "a bank that is not full keeps all")


@exercise("1.2")
def push_out(answer):
    """The recent write on plain rows: (R, D) rows, oldest first, and a turn's (N, D) latents to the new (R, D)."""
    rows = torch.arange(8.0).reshape(4, 2)
    turn = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])
    hint = "put the turn behind the rows; how many at the end are the bank?"
    returns(answer, (rows, turn), torch.cat([rows[2:], turn]), hint)
    returns(
        answer,
        (rows, torch.cat([turn, turn, turn])),
        turn.repeat(2, 1),
        "a turn may be longer than the bank",
    )
    returns(answer, (rows, turn[:0]), rows, "a turn of no tokens leaves the bank as it is")


@exercise("1.3")
def memory_score(answer):
    """Right minus wrong in points: (scores with the right bank, scores with a wrong one), 0 or 1 each, same questions."""
    hint = "the mean of the differences, times 100"
    returns(answer, ([1, 1, 1, 0], [0, 1, 0, 0]), 50.0, hint)  # (1 + 0 + 1 + 0) / 4
    harm = "a bank that does harm scores below 0; nothing may be cut off"
    returns(answer, ([0, 1], [1, 1]), -50.0, harm)  # (-1 + 0) / 2
    returns(answer, ([1, 0, 0, 1], [0, 1, 1, 0]), 0.0, harm)  # (1 - 1 - 1 + 1) / 4
