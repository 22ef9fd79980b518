"""Checks of chapter 10: which turn an answer comes from, taking a turn out of a sum, merging, how well a bank hides what was said."""

import torch

from lmem.exercises.exercise import exercise


@exercise("10.1")
def source(answer):
    """The turn that an answer comes from: (bits by turn, the least that counts); its number from 0, or -1 for none."""
    yield ([0.1, 10.5, -0.2], 1.0), 1, "the turn with the most bits, if they are enough"
    yield ([2.0, 0.1, 9.0, 3.0], 1.0), 2, "of several with enough bits, the one with the most"
    yield ([0.1, -0.2, 0.5], 1.0), -1, "if no turn has enough bits, the answer is -1"
    harm = "a turn with many bits below 0 stands in the way of the answer; it is not where it comes from"
    yield ([0.0, 2.0, -9.0], 1.0), 1, harm
    yield ([3.0, 0.0], 3.0), 0, "just enough is enough"


@exercise(
    "10.2", "the sum of the other turns, each faded once for every turn that still comes after it"
)
def without(answer):
    """A linear Hebbian bank as if turn t had never been: (C (T, A, A), t, gamma); returns (A, A)."""
    parts = torch.tensor([[[8.0]], [[4.0]], [[2.0]]]) * torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    unit = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    yield (parts, 1, 1.0), 10.0 * unit  # 8 + 2
    faded = "without the turn, the older ones have faded one time less"
    yield (parts, 1, 0.5), 6.0 * unit, faded  # 8 / 2 + 2
    yield (parts, 2, 0.5), 8.0 * unit, faded  # 8 / 2 + 4
    yield (parts, 0, 0.5), 4.0 * unit  # 4 / 2 + 2


@exercise("10.3", "the second conversation came later: its rows stand behind, and the last R stay")
def merge(answer):
    """Two banks of newest latents as one: rows written so far, (R1, D) and (R2, D), oldest first, and R; returns (R or less, D)."""
    first, second = torch.arange(6.0).reshape(3, 2), -torch.arange(1.0, 5.0).reshape(2, 2)
    yield (first, second, 4), torch.cat([first[1:], second])
    yield (first, second, 2), second
    yield (first, second, 9), torch.cat([first, second]), "a bank that is not full"
    yield (first, second[:0], 2), first[1:], "one of the banks may be empty"


@exercise(
    "10.4", "count the candidates whose distance is no more than the resolution above the smallest"
)
def hiding(answer):
    """Among how many candidates does the truth hide: (distances of the candidates' banks to the bank, resolution); a number."""
    yield ([0.0, 0.3, 0.2], 0.01), 1
    yield ([0.005, 0.3, 0.0, 0.009], 0.01), 3
    yield ([0.5, 0.505, 0.7], 0.01), 2, "the smallest distance need not be 0; measure from it"
