"""Attention over a bank's rows, as the explicit reads do it: softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v, in heads."""

import torch
from torch import nn

from lmem.errors import MethodError


class Attend(nn.Module):
    """The three projections of a read that selects for itself.

    heads, inner  attention heads, and the width they share (None: the model's own width D)
    sets          1: one set of projections for all layers, as printed; L: one for each
    """

    def __init__(self, width, heads=1, inner=None, sets=1):
        super().__init__()
        inner = inner or width
        if inner % heads:
            raise MethodError(f"a width of {inner} cannot be split over {heads} heads")
        self.heads, self.inner = heads, inner
        for name in ("w_q", "w_k", "w_v"):
            setattr(self, name, nn.Parameter(torch.randn(sets, width, inner) / width**0.5))

    def keys(self, rows, layer=0):
        """Keys and values of rows (B, R, D): two of (B, H, R, inner / H)."""
        return self._heads(rows @ self.w_k[layer]), self._heads(rows @ self.w_v[layer])

    def shares(self, states, keys, mask, layer=0):
        """How much each position looks at each row: keys (B, H, R, inner / H) -> (B, H, N, R), 1 in sum."""
        q = self._heads(states @ self.w_q[layer])
        scores = q @ keys.transpose(2, 3) / q.shape[-1] ** 0.5  # (B, H, N, R)
        scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        return scores.softmax(-1)

    def forward(self, states, keys, mask, layer=0):
        """What each position finds.

        states   (B, N, D)
        keys     of `keys`
        mask     (B, R), True where a row may be read
        layer    which set of projections
        returns  (B, N, inner); a bank without a readable row gives zeros
        """
        k, v = keys
        found = self.shares(states, k, mask, layer) @ v  # (B, H, N, inner / H)
        found = found.transpose(1, 2).flatten(2)  # (B, N, inner)
        return found * mask.any(1)[:, None, None]

    def _heads(self, states):
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
