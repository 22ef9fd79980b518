"""What all write rules share: the signature, the masks, their size, and the rule that no token writes nothing."""

import torch
from torch import nn

from lmem.errors import MethodError, ShapeError
from lmem.memory.bank import State


class Write(nn.Module):
    """A write rule. Subclasses give `update`.

    rows       R, the bank's rows; a rule over a square bank has R = A
    width      D, the backbone's width
    gamma      decay, in (0, 1]: what a turn leaves of what was there
    normalise  hold the bank's size whatever is written; each rule says how
    trainable  learn the maps; else they are random and stay so, as in the paper
    noise      standard deviation of P_0's rows; 0 starts from zeros (square banks always do)
    `p0`, (R, D) or (A, A), is P_0, drawn once from the adapter's seed, the same at every reset
    """

    form = "rows"  # of the bank: "rows" (R, D), "square" (A, A) associations, "keyed" (R, K + V)
    choices = ()  # weights that no gradient of a write reaches

    def __init__(self, rows, width, gamma=0.95, normalise=False, trainable=False, noise=0.02):
        super().__init__()
        if not 0 < gamma <= 1:
            raise MethodError(f"gamma must lie in (0, 1], not {gamma}")
        self.rows, self.width, self.gamma = rows, width, gamma
        self.normalise, self.trainable = normalise, trainable
        p0 = torch.zeros(rows, rows) if self.form == "square" else noise * torch.randn(rows, width)
        self.register_buffer("p0", p0)

    def map(self, name, *shape):
        """Give the rule a map N(0, 1 / shape[0]): a weight if it learns, a buffer if it stays as it is."""
        drawn = torch.randn(*shape) / shape[0] ** 0.5
        if self.trainable:
            self.register_parameter(name, nn.Parameter(drawn))
        else:
            self.register_buffer(name, drawn)

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
        mask = mask.bool()
        clean = (
            latents.to(state.rows.dtype) * mask[:, :, None]
        )  # padding writes nothing, whatever it holds
        rows, written = self.update(state, clean, mask)
        some = mask.any(1)
        return State(
            torch.where(some[:, None, None], rows, state.rows),
            torch.where(some[:, None], written, state.written),
            state.turns + some.long(),
        )

    def update(self, state, latents, mask):
        """The rule itself: (rows, written) after this turn. Latents are 0 where the mask is."""
        raise NotImplementedError(f"{type(self).__name__} gives no update")

    def scan(self, state, turns):
        """Write many turns, one after the other; rules that permit it do so at once (same result).

        turns    list of (latents, mask), each as in `forward`
        returns  a new State
        """
        for latents, mask in turns:
            state = self(state, latents, mask)
        return state

    def merge(self, first, second):
        """The state after both, had the second conversation gone on from the first.

        raises  MethodError if the rule's writes depend on what is in the bank already
        """
        raise MethodError(
            f"{type(self).__name__} writes by what is in the bank already; two banks cannot be merged"
        )

    def readable(self, state):
        """(B, R): rows that a read may look at; none before the first turn."""
        return (state.turns > 0)[:, None].expand(-1, self.rows)

    @staticmethod
    def all_rows(state):
        """`written` of a rule that changes every row with every turn."""
        return state.turns[:, None].expand_as(state.written)


def unit(rows):
    """Rows (..., D) at root mean square 1, the size of a T5 latent before its norm's weights."""
    return rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + 1e-6)
