"""What all write rules share: the signature, the masks, and the rule that no token writes nothing."""

import torch
from torch import nn

from lmem.bank import State
from lmem.errors import ShapeError


class Write(nn.Module):
    """A write rule. Subclasses give `update`; `start` is P_0.

    rows   R, width D; `p0` is noise N(0, 0.02^2) drawn once from the adapter's seed, the same at every reset
    """

    def __init__(self, rows, width):
        super().__init__()
        self.rows, self.width = rows, width
        self.register_buffer("p0", 0.02 * torch.randn(rows, width))

    def start(self, batch=1):
        """B banks into which no turn was written."""
        rows = self.p0.expand(batch, -1, -1).clone()
        written = rows.new_full((batch, self.rows), -1, dtype=torch.long)
        return State(rows, written, written.new_zeros(batch))

    def forward(self, state, latents, mask):
        """Write one turn per conversation.

        state    State of B banks
        latents  (B, N, D)  the turn, from the frozen encoder
        mask     (B, N)     1 for a token, 0 for padding, which is never written
        returns  a new State; the old one is untouched; a bank whose mask is all 0 stays as it was
        raises   ShapeError if the sizes do not fit
        """
        if latents.shape[0] != state.rows.shape[0] or latents.shape[2] != self.width:
            raise ShapeError(
                f"expected latents ({state.rows.shape[0]}, N, {self.width}), not {tuple(latents.shape)}"
            )
        if mask.shape != latents.shape[:2]:
            raise ShapeError(f"expected a mask {tuple(latents.shape[:2])}, not {tuple(mask.shape)}")
        rows, written = self.update(state, latents.to(state.rows.dtype), mask.bool())
        some = mask.any(1)
        return State(
            torch.where(some[:, None, None], rows, state.rows),
            torch.where(some[:, None], written, state.written),
            state.turns + some.long(),
        )

    def update(self, state, latents, mask):
        """The rule itself: (rows, written) after this turn."""
        raise NotImplementedError(f"{type(self).__name__} gives no update")

    def readable(self, state):
        """(B, R): rows that a read may look at; none before the first turn."""
        return (state.turns > 0)[:, None].expand(-1, self.rows)
