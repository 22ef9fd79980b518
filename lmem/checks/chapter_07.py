"""Checks of chapter 7: the Hebbian write and its clamp, crosstalk between keys, the delta rule."""

import torch

from lmem.checks.exercise import exercise, returns


@exercise("7.1")
def hebbian(answer):
    """M.4's write on plain tensors: M (A, A), keys and values (N, A), gamma; returns the new (A, A)."""
    memory = torch.tensor([[0.2, 0.0], [0.0, -0.4]])
    keys, values = (
        torch.tensor([[0.1, 0.2], [0.3, -0.1]]),
        torch.tensor([[0.4, 0.0], [0.2, 0.6]]),
    )
    # K^T V / 2 = [[.04 + .06, .18], [.08 - .02, -.06]] / 2; 0.5 M before it
    small = torch.tensor([[0.15, 0.09], [0.03, -0.23]])
    hint = "gamma times the old matrix, plus the outer products of keys and values, by N"
    returns(answer, (memory, keys, values, 0.5), small, hint)
    # ten times the keys: K^T V / 2 is ten times as large, and the sum is longer than 1
    large = 0.5 * memory + 10 * (small - 0.5 * memory)
    clamp = "a matrix longer than 1 (Frobenius) is divided by its length, a shorter one stays"
    returns(answer, (memory, 10 * keys, values, 0.5), large / large.norm(), clamp)


@exercise("7.2")
def left(answer):
    """What is left of each turn: (Frobenius norms before the clamp, oldest first; gamma); a list of shares."""
    hint = "a turn is scaled by its own clamp, then by gamma and the clamp of every later turn"
    returns(answer, ([4.0, 2.0], 0.5), [0.0625, 0.5], hint)  # 1/4 x 0.5 / 2, then 1/2
    returns(answer, ([2.0], 0.9), [0.5], "its own clamp counts, no decay yet")
    short = "a matrix shorter than 1 is not clamped"
    returns(answer, ([0.2, 0.5, 0.8], 0.9), [0.81, 0.9, 1.0], short)


@exercise("7.3")
def crosstalk(answer):
    """Length of the error with which key j recalls its value: (cosines (n, n), j), keys of length 1, orthonormal values."""
    cosines = torch.tensor([[1.0, 0.6, 0.0], [0.6, 1.0, -0.8], [0.0, -0.8, 1.0]])
    hint = "the others' values stand at right angles: their shares add up as squares"
    returns(answer, (cosines, 0), 0.6, hint)
    returns(answer, (cosines, 1), 1.0, hint)  # sqrt(.36 + .64)
    returns(answer, (torch.eye(3), 2), 0.0, "the key's own share, 1, is no error")


@exercise("7.4")
def delta(answer):
    """One token by the delta rule: M (A, A), key (A,) of length 1, value (A,), strength; returns the new (A, A)."""
    memory = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    key, value = torch.tensor([0.6, 0.8]), torch.tensor([1.0, -1.0])
    # M^T k = (.6 + 2.4, 1.2 + 4.0) = (3.0, 5.2); v - that = (-2.0, -6.2)
    step = torch.tensor([[-1.2, -3.72], [-1.6, -4.96]])
    hint = "what the key recalls now is M^T k; the step is k times (v minus that), transposed"
    returns(answer, (memory, key, value, 1.0), memory + step, hint)
    returns(answer, (memory, key, value, 0.5), memory + 0.5 * step, "the strength scales the step")
