"""Recall read: the question makes a key, the bank's keys answer, and what they hold stands behind the encoder's output (chapter 14).

    p = softmax(beta [q . k_1 .. q . k_R, 1 - nu]);   f = p_1 v_1 + .. + p_R v_R      the last, p_0, is the empty hand: nothing fits
    a second hop asks again, with f beside the question's latents;   h says how far the second counts
    X rows = (1 - p_0) MLP(f),   f and p_0 those of both hops, mixed by h      after end-to-end memory networks (Sukhbaatar et al., 2015)

The decoder's frozen cross-attention sees [Z; X rows]. The keys are the write's (`keyed`); the sharp softmax is what lets one fact
out of hundreds be read alone, which no sum over rows does.
"""

import torch
from torch import nn

from lmem.memory.pooling import Address, Pooled, key_size, mlp
from lmem.memory.read.base import Read


class RecallRead(Read):
    """cells, key  of the keyed write; extra  rows that are handed over; hidden  of the pools"""

    site = "encoder_output"
    form = "keyed"

    def __init__(self, width, layers, rows, cells=2, key=None, heads=2, hidden=256, extra=2):
        super().__init__()
        size = width // cells
        self.key = key_size(size) if key is None else key
        found = size - self.key
        self.asks = nn.ModuleList(Address(width, self.key, heads, hidden) for _ in range(2))
        self.back = nn.Linear(found, width)
        self.halt = Pooled(width, 1, heads=1, hidden=min(hidden, 32))
        self.sharp = nn.Parameter(torch.tensor(1.5))  # beta / 10
        self.nu = nn.Parameter(torch.tensor(0.5))  # how far from a perfect fit a key may lie
        self.tell = mlp(found, 2 * width, extra * width)
        self.width = width

    def recall(self, keys, values, bias, states, seen):
        """Two hops over the keys.

        keys    (B, R, K)
        values  (B, R, V)
        bias    (B, R)     added to the scores: -inf where a row may not be read
        states  (B, N, D)  the question's latents, with their mask seen (B, N)
        returns [(scores (B, R + 1), f (B, V), p_0 (B, 1)), ...] for the two hops; the last score is the empty hand's
        """
        beta, hops = 10 * self.sharp, []
        none = (beta * (1 - self.nu)).expand(len(keys), 1)
        for ask in self.asks:
            scores = beta * torch.einsum("bk,brk->br", ask(states, seen), keys) + bias
            scores = torch.cat([scores, none], 1)  # (B, R + 1)
            p = scores.softmax(1)
            found = torch.einsum("br,brv->bv", p[:, :-1], values)
            hops.append((scores, found, p[:, -1:]))
            states = torch.cat([states, self.back(found)[:, None]], 1)  # (B, N + 1, D)
            seen = torch.cat([seen, seen.new_ones(len(seen), 1)], 1)
        return hops

    def told(self, found):
        """(B, V) -> (B, X, D), what the decoder sees of it."""
        return self.tell(found).unflatten(1, (-1, self.width))

    def forward(self, rows, mask, states, seen=None, layer=0, keys=()):
        """rows (B, R, K + V), states (B, N, D) -> (B, X, D), seen where anything was written."""
        seen = states.new_ones(states.shape[:2]).bool() if seen is None else seen.bool()
        bias = torch.zeros_like(rows[..., 0]).masked_fill(~mask, -1e9)
        once, twice = self.recall(rows[..., : self.key], rows[..., self.key :], bias, states, seen)
        second = torch.sigmoid(self.halt(states, seen))  # (B, 1)
        _, found, empty = ((1 - second) * a + second * b for a, b in zip(once, twice, strict=True))
        extra = (1 - empty)[:, :, None] * self.told(found)
        return extra, mask.any(1, keepdim=True).expand(-1, extra.shape[1])
