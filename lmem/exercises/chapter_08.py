"""Checks of chapter 8: which slots a turn goes to, what a slot holds, groups of equal slots, usage, what a gate leaves."""

import torch

from lmem.exercises.exercise import exercise


@exercise("8.1", "of slots with the same score the one with the smaller index comes first")
def choose(answer):
    """The k best-scored slots, best first, ties to the smaller index: (list of scores, k); a list of indices."""
    yield ([0.1, 0.9, 0.3, 0.8], 2), [1, 3], "sort the indices by their scores"
    yield ([0.0, 0.0, 0.0, 0.0], 3), [0, 1, 2]
    yield ([-1.0, 0.0, 2.0, 0.0], 2), [2, 1]


@exercise("8.2")
def content(answer):
    """What a slot holds: (its start (D,), what was written into it (n, D), oldest first, gamma); returns (D,)."""
    start = torch.tensor([8.0, 0.0])
    written = torch.tensor([[0.0, 4.0], [2.0, 0.0], [0.0, -2.0]])
    # 1/8 x 8 + 1/2 x (1/4 x 0 + 1/2 x 2 + 0) = 1.5; 1/2 x (1/4 x 4 + 0 - 2) = -0.5
    hint = "each write scales what is there by gamma and adds (1 - gamma) of the new; oldest first"
    yield (start, written, 0.5), torch.tensor([1.5, -0.5]), hint
    yield (start, written[:0], 0.5), start, "a slot that was never chosen does not decay"


@exercise("8.3")
def groups(answer):
    """The group that each turn goes to, from a zero start: (scores (T, T) of turn t for what turn i wrote, S / k, gamma)."""
    rising = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 1, 1]])
    yield (rising, 8, 0.5), [0, 0, 0], "a group with a positive score beats an empty one, 0"
    never = -torch.ones(4, 4)
    opened = "where all scores are negative, an empty group, score 0, is the best"
    yield (never, 8, 0.5), [0, 1, 2, 3], opened
    full = "with no empty group left, the largest score counts, ties to the smaller index"
    yield (never, 2, 0.5), [0, 1, 0, 1], full
    # group 0 holds 1/4 of turn 0 and 1/2 of turn 2, group 1 holds 1/2 of turn 1: -2/4 + 0.8/2 = -0.1 against -0.9/2
    last = -torch.ones(4, 4)
    last[3] = torch.tensor([-2.0, -0.9, 0.8, 0.0])
    faded = "what a group holds has faded by gamma with each later turn that it took"
    yield (last, 2, 0.5), [0, 1, 0, 0], faded


@exercise("8.4", "score minus price times the uses so far, then as in exercise 8.1")
def penalised(answer):
    """As 8.1, but each earlier use lowers a slot's score: (list of scores, list of uses, k, price); a list of indices."""
    yield ([0.5, 0.4, 0.1], [3, 0, 0], 2, 0.2), [1, 2]  # -0.1, 0.4, 0.1
    yield ([0.5, 0.4, 0.1], [3, 0, 0], 2, 0.0), [0, 1], "a price of 0 is the plain choice"
    # 0.5 - 2, 0.5 - 0, 0.5 - 0
    yield ([0.5, 0.5, 0.5], [2, 0, 0], 1, 1.0), [1]


@exercise("8.5")
def gate_leaves(answer):
    """The share of each turn in a row of a gated bank, gamma = 1: (the row's gates by turn); a list of shares."""
    yield ([0.5, 0.5],), [0.25, 0.5], "the turn's own gate, times one minus every later one"
    yield ([1.0, 0.0, 0.0],), [1.0, 0.0, 0.0], "a gate that is shut takes nothing off"
    yield ([0.2, 0.5, 1.0],), [0.0, 0.0, 1.0], "a gate that is open replaces all"
