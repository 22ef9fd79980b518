"""Recent write: the newest latents as they are, pushing out the oldest; no mixing, no decay, nothing learned.

P <- the last R rows of [P; Z]      after Memorizing Transformers (Wu et al., 2022), without its search; chapter 1
"""

import torch

from lmem.memory.bank import State
from lmem.memory.write.base import Write


class RecentWrite(Write):
    def __init__(self, rows, width):
        super().__init__(rows, width, gamma=1.0, noise=0.0)  # rows not yet filled are never read

    def update(self, state, latents, mask):
        turn = state.turns[:, None].expand_as(mask)
        return self._newest(state, latents, turn, mask)

    def scan(self, state, turns):
        """All turns at once: what the last R tokens of all will be, they are."""
        if not turns:
            return state
        latents, mask = (torch.cat(parts, 1) for parts in zip(*turns, strict=True))
        mask, number, counted = mask.bool(), [], state.turns
        for _, one in turns:
            number.append(counted[:, None].expand_as(one))
            counted = counted + one.bool().any(1).long()
        latents = latents.to(state.rows.dtype) * mask[:, :, None]
        return State(*self._newest(state, latents, torch.cat(number, 1), mask), counted)

    def merge(self, first, second):
        later = torch.where(second.written >= 0, second.written + first.turns[:, None], -1)
        kept = self._newest(first, second.rows, later, second.written >= 0)
        return State(*kept, first.turns + second.turns)

    def _newest(self, state, latents, turn, mask):
        rows = torch.cat([state.rows, latents], 1)  # (B, R + N, D)
        written = torch.cat([state.written, turn], 1)  # (B, R + N)
        keep = torch.cat([torch.ones_like(state.written, dtype=torch.bool), mask], 1)
        # padding to the front, then oldest to newest; the last R stay
        order = keep.long().argsort(dim=1, stable=True)[:, -self.rows :]
        wide = order[:, :, None].expand(-1, -1, self.width)
        return rows.gather(1, wide), written.gather(1, order)

    def readable(self, state):
        return state.written >= 0
