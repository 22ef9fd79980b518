"""Checks of chapter 6: the attention-coupled write by hand, its mean row without any attention, its gain."""

import torch

from lmem.exercises.exercise import exercise


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


@exercise("6.2")
def mean_row(answer):
    """The mean row after a turn: mean row before (D,), latents (N, D), w_v (D, D), R, gamma to (D,)."""
    before, w_v = torch.tensor([1.0, -2.0]), torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    turn = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    # values (1, 0), (1, 2), (3, 2): in sum (5, 4)
    hint = "the tokens' values in sum, over the number of rows; no attention is needed"
    yield (before, turn, w_v, 4, 0.5), torch.tensor([1.75, 0.0]), hint
    hint = "ten times the rows, a tenth of the gain; the decay stays"
    yield (before, turn, w_v, 40, 0.5), torch.tensor([0.625, -0.9]), hint


@exercise("6.3")
def gain(answer):
    """The factor for deviations, all tokens alike: (gamma, N, R, v (D,), q (D,)) to a number."""
    v, q = torch.tensor([1.0, 2.0, 0.0, 2.0]), torch.tensor([2.0, 1.0, 5.0, 0.0])
    # v . q = 4, sqrt(D) = 2
    yield (0.5, 3, 6, v, q), 1.5, "gamma + N (v . q) / (R sqrt(D))"
    yield (0.5, 3, 60, v, q), 0.6, "ten times the rows, a tenth of the second term"
    yield (0.5, 3, 6, v, -q), -0.5, "v and q may point apart: the second term has a sign"
