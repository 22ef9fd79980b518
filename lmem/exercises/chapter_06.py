"""Checks of chapter 6: the attention-coupled write by hand, its mean row without any attention, its gain."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import exercise

mean_row, gain = read_checks("6.2", "6.3")


@exercise("6.1")
def attention_write(answer):
    """One turn on plain tensors: rows (R, D), latents (N, D), w_q, w_k, w_v (D, D), gamma to the new rows (R, D)."""
    drawn = torch.Generator().manual_seed(0)
    rows, turn = torch.randn(3, 2, generator=drawn), torch.randn(4, 2, generator=drawn)
    maps = [torch.randn(2, 2, generator=drawn) for _ in range(3)]
    hint = "latents of zero have values of zero: they leave only the decay"
    yield (rows, 0 * turn, *maps, 0.9), 0.9 * rows, hint
    equal = rows[:1].repeat(3, 1)
    common = 0.5 * rows[:1] + (turn @ maps[2]).sum(0) / 3
    hint = "each token's shares over the three equal rows are 1/3, 1/3, 1/3; softmax over the rows, not the tokens"
    yield (equal, turn, *maps, 0.5), common.expand(3, -1).clone(), hint
    shares = (turn @ maps[0] @ (rows @ maps[1]).T / 2**0.5).softmax(1)  # (N, R)
    expected = 0.9 * rows + shares.T @ (turn @ maps[2])
    hint = "A = softmax((Z W_Q)(P W_K)^T / sqrt(D)), then gamma P + A^T (Z W_V)"
    yield (rows, turn, *maps, 0.9), expected, hint
