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
    common = 0.6 * rows[:1] + (turn @ maps[2]).sum(0) / 3
    hint = "each token's shares over the three equal rows are 1/3, 1/3, 1/3; softmax over the rows, not the tokens"
    values = turn @ maps[2]
    added = {
        "the values are multiplied by 1 - gamma as well; only the old rows decay": 0.4 * values,
        "the values are multiplied by gamma as well; only the old rows decay": 0.6 * values,
        "the values are made with the transpose of w_v": turn @ maps[2].T,
        "the latents themselves are added, not their values": turn,
    }
    slips = {says: 0.6 * equal + tokens.sum(0) / 3 for says, tokens in added.items()}
    yield (equal, turn, *maps, 0.6), common.expand(3, -1).clone(), hint, slips
    scores = turn @ maps[0] @ (rows @ maps[1]).T  # (N, R)

    def written(scores):
        return 0.9 * rows + scores.softmax(1).T @ values

    hint = "the update of equal rows is right, so look at the scores: queries from the latents, keys from the rows"
    exchanged = turn @ maps[1] @ (rows @ maps[0]).T
    slips = {
        "the scores are not divided by sqrt(D)": written(scores),
        "the scores are divided by D, not by its root": written(scores / 2),
        "the maps of queries and keys are exchanged": written(exchanged / 2**0.5),
        "the keys are made of rows that have already decayed": written(0.9 * scores / 2**0.5),
    }
    yield (rows, turn, *maps, 0.9), written(scores / 2**0.5), hint, slips
