"""Gated branch read (M.5): a second cross-attention, and a gate that says how much of it each state takes.

    s + XAttn_frozen(s, Z) + g * c,   c = softmax(s W_q (P W_k)^T / sqrt(D)) P W_v,   g = sigmoid([s; c] W_g + b_g)
                                                                                    paper, section 3; chapter 6

The paper prints W_g and b_g per layer, but its 21.0M parameters hold only if the layers share them: 3 D^2 + 2 D^2 + D. b_g
starts at -2: the gate is nearly closed, not shut, so an untrained adapter is not silent.
"""

import torch
from torch import nn

from lmem.memory.read.attend import Attend
from lmem.memory.read.base import Read


class GatedBranchRead(Read):
    """As BranchRead without W_o; `bias` is b_g's start value, `heads` splits the model's own width."""

    site = "decoder_layer"

    def __init__(self, width, layers, rows=None, heads=1, shared=True, bias=-2.0, raw=False):
        super().__init__()
        self.sets, self.raw = 1 if shared else layers, raw
        self.attend = Attend(width, heads, sets=self.sets)
        self.w_g = nn.Parameter(torch.randn(self.sets, 2 * width, width) / (2 * width) ** 0.5)
        self.b_g = nn.Parameter(torch.full((self.sets, width), float(bias)))

    def keys(self, rows, layer=0):
        """(B, R, D) -> keys and values of the rows."""
        return self.attend.keys(rows, layer % self.sets)

    def found(self, keys, mask, states, layer=0):
        """What the states find and let through: (B, N, D)."""
        i = layer % self.sets
        said = self.attend(states, keys, mask, i)
        return torch.sigmoid(torch.cat([states, said], 2) @ self.w_g[i] + self.b_g[i]) * said

    def forward(self, rows, mask, states, seen=None, layer=0, keys=()):
        """What layer `layer` gains, (B, N, D); a bank without a readable row gives zeros."""
        return self.found(keys or self.keys(rows, layer), mask, states, layer)
