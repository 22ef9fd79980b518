"""Checks of chapter 13: the share of a bank in a softmax, rows of one length, a difference of memory scores, rows for a lag."""

import torch

from lmem.exercises.exercise import exercise


@exercise("13.1", "R rows have e^(f s) each; the question's tokens have S together")
def bank_share(answer):
    """Softmax mass of R equal rows: (R, length f, score s at length 1, S of the question) to a number from 0 to 1."""
    yield (64, 1.0, 0.0, 64.0), 0.5  # zero scores: 64 against 64
    yield (64, 1.0, 2.0, 100.0), 0.825466  # 64 * 7.389056 = 472.8996
    yield (640, 0.1, 2.0, 100.0), 0.886577, "the length multiplies the score, not e^s"
    yield (0, 1.0, 2.0, 100.0), 0.0, "no row, no share"


@exercise("13.2")
def held(answer):
    """Every row at one length: rows (R, D), a length to (R, D); a row of zeros stays as it is."""
    rows = torch.tensor([[3.0, 4.0], [0.0, -2.0], [6.0, 8.0]])
    expected = torch.tensor([[0.6, 0.8], [0.0, -1.0], [0.6, 0.8]])
    hint = "divide each row by its own length; `keepdim=True` keeps the shape that fits"
    yield (rows, 1.0), expected, hint
    yield (rows, 10.0), 10 * expected, "then multiply with the length that is asked for"
    zero = torch.tensor([[0.0, 0.0], [0.0, 5.0]])
    hint = "a row of zeros has no direction: leave it, and do not divide by 0"
    yield (zero, 2.0), torch.tensor([[0.0, 0.0], [0.0, 2.0]]), hint


@exercise("13.3")
def lift(answer):
    """(right small, wrong small, right large, wrong large), 0 or 1 for each question, to points."""
    hint = "memory score of the large bank minus that of the small one, in points"
    yield ([0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 1], [0, 0, 0, 1]), 25.0, hint
    hint = "a bank that answers more only because both the right and the wrong one do has gained no memory"
    yield ([0, 0], [0, 0], [1, 1], [1, 1]), 0.0, hint
    hint = "a larger bank may do harm; nothing is cut off"
    yield ([1, 1], [0, 1], [0, 1], [1, 1]), -100.0, hint


@exercise("13.4", "the turn itself and every turn after it; lag 0 is the newest")
def rows_for(answer):
    """Rows that the recent write needs to hold a turn whole: (tokens of each turn, oldest first; lag of the turn) to a number."""
    tokens = [10, 12, 8, 5]
    yield (tokens, 0), 5
    yield (tokens, 1), 13
    yield (tokens, 3), 35
