"""Recent write: keep the newest latents unchanged and drop the oldest; no mixing, no decay, nothing learned.

P <- the last R rows of [P; Z]      after Memorizing Transformers (Wu et al., 2022), without its search; chapter 1
"""

import torch
from torch import Tensor

from lmem.memory.bank import State
from lmem.memory.write.base import Turn, Write, numbered_after


class RecentWrite(Write):
    """Write each token's latent as a row of its own."""

    def __init__(self, rows: int, width: int):
        super().__init__(rows, width, gamma=1.0, noise=0.0)  # rows not yet filled are never read

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        turn = state.turns[:, None].expand_as(mask)  # (B, N)
        return self.newest(state, latents, turn, mask)

    def update_all(self, state: State, turns: list[Turn]) -> State:
        """Write all turns at once: the bank becomes the last R of all tokens."""
        masks, numbers, counted = [], [], state.turns
        for _, mask in turns:
            masks.append(mask)
            numbers.append(counted[:, None].expand_as(mask))
            counted = counted + mask.any(1).long()
        mask = torch.cat(masks, 1)  # (B, all N)
        latents = torch.cat([latents for latents, _ in turns], 1)  # (B, all N, D)
        return State(*self.newest(state, latents, torch.cat(numbers, 1), mask), counted)

    def merge(self, first: State, second: State) -> State:
        later = numbered_after(first, second)
        kept = self.newest(first, second.rows, later, second.written >= 0)
        return State(*kept, first.turns + second.turns)

    def newest(
        self, state: State, latents: Tensor, turn: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the newest R of the bank's rows and N tokens, and their turns (B, N)."""
        rows = torch.cat([state.rows, latents], 1)  # (B, R + N, D)
        written = torch.cat([state.written, turn], 1)  # (B, R + N)
        keep = torch.cat([torch.ones_like(state.written, dtype=torch.bool), mask], 1)
        # padding moves to the front, the rest keeps its order; the last R stay
        order = keep.long().argsort(dim=1, stable=True)[:, -self.rows :]  # (B, R)
        wide = order[:, :, None].expand(-1, -1, self.width)
        return rows.gather(1, wide), written.gather(1, order)

    def readable(self, state: State) -> Tensor:
        return state.written >= 0
