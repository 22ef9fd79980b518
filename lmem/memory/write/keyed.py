"""Keyed write: one row for one fact, found again by its key (chapter 14).

    (k, v, b, e) = what is learned of the turn;      nothing is written unless b > 0
    s = the row with the largest k_s . k, if that is above theta and e > 0;   else the row written longest ago
    P[s] <- [k, v]      after slots (M.6), key-value memories (Miller et al., 2016), least-recently-used addressing (Graves et al., 2016)

Nothing is mixed and nothing decays: what is in a row is as readable after 2,000 turns as on the first day, until the rows run
out. `b` skips what tells nothing; `e` lets a turn that corrects something take the row of what it corrects. A row has D / cells
numbers, K of them the key, so the bank of scale 1 has 64 cells rows and as many numbers as 64 rows of width D.

The choices have no gradient. They are learned in a soft form, with the read, by `lmem.training.evidence`.
"""

import torch
from torch import nn

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.pooling import Address, Pooled, key_size
from lmem.memory.write.base import Write, unit


class KeyedWrite(Write):
    """cells  rows for each row of width D; key  numbers of the key (default: 5 of 8); heads, hidden  of the pools; theta  to begin with

    select   skip what tells nothing; False keeps every turn
    replace  let a correction take the row of what it corrects; False always takes the oldest row
    """

    form = "keyed"
    choices = ("gate", "theta")  # weights that only the soft form can teach

    def __init__(
        self, rows, width, cells=2, key=None, heads=2, hidden=256, theta=0.8,
        select=True, replace=True,
    ):  # fmt: skip
        size = width // max(1, cells)
        key = key_size(size) if key is None else key
        if cells < 1 or width % cells or not 2 <= key < size or key % 2:
            raise MethodError(
                f"expected cells that divide the width {width}, and an even key below {size}, not {cells} and {key}"
            )
        if not -1 < theta < 1:
            raise MethodError(f"theta must lie between -1 and 1, not {theta}")
        super().__init__(rows * cells, width, gamma=1.0, trainable=True, noise=0.0)
        self.p0 = torch.zeros(self.rows, size)
        self.key, self.select, self.replace = key, select, replace
        self.address = Address(width, key, heads, hidden)
        self.value = Pooled(width, size - key, heads=1)
        self.gate = Pooled(width, 2, heads=2, hidden=min(hidden, 32))
        self.theta = nn.Parameter(torch.tensor(float(theta)))
        with torch.no_grad():
            self.gate.linear.bias.copy_(torch.tensor([2.0, -2.0]))  # begin by keeping everything

    def parts(self, latents, mask, shown=None):
        """What a turn says: key (..., K), value (..., V), gates b and e (...), both far below 0 for a turn of padding.

        shown  (..., N)  the tokens that the key is made of, if not all
        """
        key = self.address(latents, mask if shown is None else shown)
        value = unit(self.value(latents, mask))
        keep, fix = self.gate(latents, mask).unbind(-1)
        keep = keep if self.select else torch.full_like(keep, 20.0)
        fix = fix if self.replace else torch.full_like(fix, -20.0)
        padding = ~mask.bool().any(-1)
        return key, value, keep.masked_fill(padding, -20.0), fix.masked_fill(padding, -20.0)

    def update(self, state, latents, mask):
        return self._place(state.rows, state.written, state.turns, *self.parts(latents, mask))

    def scan(self, state, turns):
        """What the turns say is found at once; where it goes is decided one after the other."""
        rows, written, counted = state
        if not turns:
            return state
        for (_, mask), parts in zip(
            turns, zip(*self._all_parts(rows, turns), strict=True), strict=True
        ):
            rows, written = self._place(rows, written, counted, *parts)
            counted = counted + mask.bool().any(1).long()
        return State(rows, written, counted)

    def _all_parts(self, rows, turns):
        """`parts` of all turns, (T, B, ...) each, padded to the longest."""
        longest = max(mask.shape[1] for _, mask in turns)
        padded = [
            nn.functional.pad(latents.to(rows.dtype), (0, 0, 0, longest - latents.shape[1]))
            for latents, _ in turns
        ]
        masks = [nn.functional.pad(mask.bool(), (0, longest - mask.shape[1])) for _, mask in turns]
        mask = torch.stack(masks)
        return self.parts(torch.stack(padded) * mask[..., None], mask)

    def _place(self, rows, written, turns, key, value, keep, fix):
        near = torch.einsum("bk,brk->br", key, rows[..., : self.key])
        near, place = near.masked_fill(written < 0, -1.0).max(1)
        place = torch.where((near > self.theta) & (fix > 0), place, written.argmin(1))
        hit = torch.arange(self.rows, device=rows.device) == place[:, None]
        hit = hit & (keep > 0)[:, None]  # (B, R)
        fact = torch.cat([key, value], 1)[:, None].to(rows.dtype)
        return torch.where(hit[:, :, None], fact, rows), torch.where(hit, turns[:, None], written)

    def readable(self, state):
        return state.written >= 0
