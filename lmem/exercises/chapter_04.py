"""Checks of chapter 4: what zero rows leave, how many take half, what a mask does, how rows join, what is only given back."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, expect, shown

attended, even_rows, shares_of, given_back = read_checks("4.1", "4.2", "4.3", "4.5")


@exercise("4.4")
def extended(answer):
    """What the decoder gets: ((B, N, D) z, (B, N) seen, (B, R, D) rows, (B, R) mask, (D, D) w_mem) to states and mask."""
    generator = torch.Generator().manual_seed(4)
    z, rows = torch.randn(2, 3, 4, generator=generator), torch.randn(2, 5, 4, generator=generator)
    w_mem = torch.randn(4, 4, generator=generator)
    seen = torch.tensor([[1, 1, 1], [1, 1, 0]])
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    projected, readable_rows = rows @ w_mem, mask.long()
    states, both = torch.cat([z, projected], 1), torch.cat([seen, readable_rows], 1)
    front = torch.cat([readable_rows, seen], 1)

    def readable(found):
        """The states where they are read: what a masked position contains is free."""
        return torch.where(both[:, :, None].bool(), found, 0.0)

    hint = "along which axis do positions lie? states and mask must describe the same positions in the same order"
    others = {
        "the rows are in front; they must follow the question's latents": ([projected, z], front),
        "the rows are unchanged; W_mem is missing": ([z, rows], both),
        "W_mem is transposed: it mixes the columns of a row the wrong way round": (
            [z, rows @ w_mem.T],
            both,
        ),
        "rows that must not be read are read: their mask is missing": (
            [z, projected],
            torch.cat([seen, torch.ones_like(mask)], 1),
        ),
        "the states are right, but the mask has the rows first": ([z, projected], front),
    }
    slips = {says: (readable(torch.cat(parts, 1)), mask) for says, (parts, mask) in others.items()}
    given = (z, seen, rows, mask, w_mem)
    result = call(answer, *given, hint=hint)
    if isinstance(result, tuple | list) and len(result) == 2:
        found, marks = result
        if getattr(found, "shape", None) == states.shape:
            found = readable(found)
        if isinstance(marks, torch.Tensor):
            marks = marks.long()  # a mask of True and False is right as well
        result = found, marks
    expect(result, (readable(states), both), shown(answer, given), hint, slips=slips)
