"""Checks of chapter 4: what zero rows leave, how many take half, what a mask does, how rows join, what is only given back."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import exercise

attended, even_rows, shares_of, given_back = read_checks("4.1", "4.2", "4.3", "4.5")


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
