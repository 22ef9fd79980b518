"""Recent write: the newest latents as they are, pushing out the oldest; no mixing, no decay, nothing learned.

P <- the last R rows of [P; Z]      after Memorizing Transformers (Wu et al., 2022), without its search; chapter 1
"""

import torch

from lmem.write.base import Write


class RecentWrite(Write):
    def __init__(self, rows, width):
        super().__init__(rows, width)
        self.p0.zero_()  # rows not yet filled are never read

    def update(self, state, latents, mask):
        rows = torch.cat([state.rows, latents], 1)  # (B, R + N, D)
        turn = state.turns[:, None].expand_as(mask)
        written = torch.cat([state.written, turn], 1)  # (B, R + N)
        keep = torch.cat([torch.ones_like(state.written, dtype=torch.bool), mask], 1)
        # padding to the front, then oldest to newest; the last R stay
        order = keep.long().argsort(dim=1, stable=True)[:, -self.rows :]
        wide = order[:, :, None].expand(-1, -1, self.width)
        return rows.gather(1, wide), written.gather(1, order)

    def readable(self, state):
        return state.written >= 0
