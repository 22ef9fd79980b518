"""Checks of chapter 7: the Hebbian write and its clamp, crosstalk between keys, the delta rule."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import exercise

left, crosstalk = read_checks("7.2", "7.3")


@exercise("7.1")
def hebbian(answer):
    """M.4's write on plain tensors: M (A, A), keys and values (N, A), gamma; returns the new (A, A)."""
    memory = torch.tensor([[0.2, 0.0], [0.0, -0.4]])
    keys, values = (
        torch.tensor([[0.1, 0.2], [0.3, -0.1], [0.2, 0.3]]),
        torch.tensor([[0.4, 0.0], [0.2, 0.6], [0.1, 0.0]]),
    )
    # K^T V / 3 = [[.04 + .06 + .02, .18], [.08 - .02 + .03, -.06]] / 3; 0.5 M before it
    small = torch.tensor([[0.14, 0.06], [0.03, -0.22]])
    hint = "gamma times the old matrix, plus the outer products of keys and values, by N"
    brought = small - 0.5 * memory
    slips = {
        "the outer products are added up; their mean is wanted, so divide by the number of tokens N": small
        + 2 * brought,
        "it is divided by A; the mean over the tokens divides by N": small + 0.5 * brought,
        "the old matrix did not fade: gamma is missing": small + 0.5 * memory,
        "a matrix shorter than 1 (Frobenius) is not divided": small / small.norm(),
    }
    yield (memory, keys, values, 0.5), small, hint, slips
    # twenty times the keys: K^T V / 3 is twenty times as large, and the sum is longer than 1
    large = 0.5 * memory + 20 * brought
    clamp = "a matrix longer than 1 (Frobenius) is divided by its length, a shorter one stays"
    yield (memory, 20 * keys, values, 0.5), large / large.norm(), clamp


@exercise("7.4")
def delta(answer):
    """One token by the delta rule: M (A, A), key (A,) of length 1, value (A,), strength; returns the new (A, A)."""
    memory = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    key, value = torch.tensor([0.6, 0.8]), torch.tensor([1.0, -1.0])
    # M^T k = (.6 + 2.4, 1.2 + 4.0) = (3.0, 5.2); v - that = (-2.0, -6.2)
    step = torch.tensor([[-1.2, -3.72], [-1.6, -4.96]])
    hint = "what the key recalls now is M^T k; the step is k times (v minus that), transposed"
    slips = {
        "this is the Hebbian rule: it adds the value without asking what the key recalls": memory
        + torch.outer(key, value),
        "the step is transposed: the key is its column, the difference its row": memory + step.T,
        "what the key recalls is M^T k, not M k": memory + torch.outer(key, value - memory @ key),
        "the difference has the wrong sign: the value minus what is recalled": memory - step,
        "everything faded; only what the key recalls may change": torch.outer(key, value),
    }
    yield (memory, key, value, 1.0), memory + step, hint, slips
    yield (memory, key, value, 0.5), memory + 0.5 * step, "the strength scales the step"
