"""Checks of chapter 4: what zero rows leave, how many take half, what a mask does, how rows join, what is only given back."""

import torch

from lmem.exercises.exercise import call, exercise, require, shown

NO_GAIN = "where there is no gain over zero rows there is no share: return None"


@exercise("4.1")
def attended(answer):
    """Attention with n zero rows beside: ((N,) scores, (N, D) values, n) to the mixture (D,)."""
    scores = torch.tensor([3.0, 1.0]).log()
    values = torch.tensor([[4.0, 0.0], [0.0, 8.0]])
    hint = "n keys with score 0 and value 0 join: they add n to the softmax's sum, and nothing to the mixture"
    yield (
        (scores, values, 0),
        torch.tensor([3.0, 2.0]),
        "without zero rows it is plain attention",
    )  # 3/4 of 4, 1/4 of 8
    yield (scores, values, 4), torch.tensor([1.5, 1.0]), hint  # 3/8 of 4, 1/8 of 8
    large = torch.tensor([200.0, 0.0])
    yield (large, values, 64), values[0], "large scores overflow in exp; let softmax do it"


@exercise("4.2", "a zero row counts exp(0) = 1; what do the tokens count together?")
def even_rows(answer):
    """How many zero rows take as much of the softmax as all tokens together: (N,) scores to a number."""
    yield (torch.tensor([2.0, 3.0]).log(),), 5.0
    yield (torch.zeros(12),), 12.0
    yield (torch.tensor([1.0]).exp(),), 15.154262  # e^e


@exercise("4.3")
def shares_of(answer):
    """Softmax over the keys that may be read: ((N,) scores, (N,) mask, True where it may) to (N,)."""
    scores = torch.tensor([2.0, 5.0, 1.0, 2.0]).log()
    mask = torch.tensor([True, False, True, True])
    expected = torch.tensor([2.0, 0.0, 1.0, 2.0]) / 5
    hint = "a score of 0 still counts exp(0) = 1; which score counts nothing?"
    yield (scores, mask), expected, hint
    every = torch.ones(4, dtype=torch.bool)
    yield (scores, every), torch.tensor([2.0, 5.0, 1.0, 2.0]) / 10, "all may be read"
    low = torch.tensor([-300.0, 0.0, -300.0])
    only = torch.tensor([True, False, True])
    masked = "a masked key may have the largest score by far, and must still count nothing"
    yield (low, only), torch.tensor([0.5, 0.0, 0.5]), masked


@exercise("4.4")
def extended(answer):
    """What the decoder gets: ((B, N, D) z, (B, N) seen, (B, R, D) rows, (B, R) mask, (D, D) w_mem) to states and mask."""
    generator = torch.Generator().manual_seed(4)
    z, rows = torch.randn(2, 3, 4, generator=generator), torch.randn(2, 5, 4, generator=generator)
    w_mem = torch.randn(4, 4, generator=generator)
    seen = torch.tensor([[1, 1, 1], [1, 1, 0]])
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    expected = torch.cat([z, rows @ w_mem], 1), torch.cat([seen, mask.long()], 1)
    hint = "states first, rows @ w_mem behind them, along the positions (axis 1); the masks in the same order"
    both = expected[1]
    slips = {
        "the rows stand in front; they belong behind the question's latents": (
            torch.cat([rows @ w_mem, z], 1),
            torch.cat([mask.long(), seen], 1),
        ),
        "the rows are as they were in the bank; W_mem is missing": (torch.cat([z, rows], 1), both),
        "W_mem is transposed: a row p becomes p @ w_mem": (torch.cat([z, rows @ w_mem.T], 1), both),
        "rows that may not be read are read: their mask is missing": (
            expected[0],
            torch.cat([seen, torch.ones_like(mask)], 1),
        ),
    }
    yield (z, seen, rows, mask, w_mem), expected, hint, slips


@exercise("4.5")
def given_back(answer):
    """Share of the gain over zero rows that only repays the tax: (f_base, f_0, f_mem) to a number."""
    yield (
        (6.0, 2.0, 10.0),
        0.5,
        "the gain over zero rows is f_mem - f_0; the tax is f_base - f_0",
    )  # 4 of 8
    yield (6.0, 6.0, 9.0), 0.0, "without a tax nothing is given back"
    yield (
        (6.0, 2.0, 6.0),
        1.0,
        "a bank that only reaches the bare backbone gives back all of its gain",
    )
    half = "a bank that stays below the bare backbone gives back the whole of its gain, not more"
    yield (6.0, 2.0, 4.0), 1.0, half
    for f_mem in (2.0, 1.0):
        share = call(answer, 6.0, 2.0, f_mem, hint=NO_GAIN)
        require(share is None, f"{shown(answer, (6.0, 2.0, f_mem))}: {NO_GAIN}")
