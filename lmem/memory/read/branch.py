"""Branch read (M.2): beside each frozen cross-attention runs a second one, over the bank.

    s + XAttn_frozen(s, Z) + beta_l softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v W_o      paper, section 3; chapter 5

s is the state after the layer's own layer norm. As printed: one head, projections shared by the layers, one scalar beta
per layer that starts at 0, so that an untrained adapter is exactly silent.
"""

import torch
from torch import nn

from lmem.memory.read.attend import Attend
from lmem.memory.read.base import Read


class BranchRead(Read):
    """A second cross-attention.

    heads, inner  attention heads, and the width they share (None: the model's own width D)
    shared        one set of projections for all layers
    beta          its start value
    raw           read with the state before the layer norm
    """

    site = "decoder_layer"

    def __init__(
        self, width, layers, rows=None, heads=1, inner=None, shared=True, beta=0.0, raw=False
    ):
        super().__init__()
        self.sets, self.raw = 1 if shared else layers, raw
        self.attend = Attend(width, heads, inner, self.sets)
        self.w_o = nn.Parameter(
            torch.randn(self.sets, self.attend.inner, width) / self.attend.inner**0.5
        )
        self.beta = nn.Parameter(torch.full((layers,), float(beta)))

    @torch.no_grad()
    def borrow(self, modules):
        """Start from the frozen cross-attention beside each branch: it knows already what a latent says.

        modules  the sublayers of the site, one for each layer; T5 scales its queries by 1, we by 1 / sqrt(D_h)
        """
        mine = self.attend
        size = (mine.inner // mine.heads) ** 0.5
        for i, module in enumerate(modules):
            frozen = module.EncDecAttention
            for ours, theirs, scale in (
                (mine.w_q, frozen.q, size), (mine.w_k, frozen.k, 1), (mine.w_v, frozen.v, 1), (self.w_o, frozen.o, 1),
            ):  # fmt: skip
                ours[i].copy_(theirs.weight.T * scale)

    def keys(self, rows, layer=0):
        """(B, R, D) -> keys and values of the rows."""
        return self.attend.keys(rows, layer % self.sets)

    def found(self, keys, mask, states, layer=0):
        """What the states find, before beta: (B, N, D)."""
        i = layer % self.sets
        return self.attend(states, keys, mask, i) @ self.w_o[i]

    def forward(self, rows, mask, states, seen=None, layer=0, keys=()):
        """What layer `layer` gains, (B, N, D); a bank without a readable row gives zeros."""
        return self.beta[layer] * self.found(keys or self.keys(rows, layer), mask, states, layer)
