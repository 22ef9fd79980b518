"""Branch read (M.2): beside each frozen cross-attention runs a second one, over the bank.

    s + XAttn_frozen(s, Z) + beta_l softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v W_o      paper, section 3; chapter 5

s is the state after the layer's own layer norm. As printed: one head, projections shared by the layers, one scalar beta
per layer that starts at 0, so that an untrained adapter is exactly silent.
"""

import torch
from torch import nn

from lmem.errors import MethodError


class BranchRead(nn.Module):
    """heads: attention heads; shared: one set of projections for all layers; beta: its start value."""

    site = "decoder_layer"

    def __init__(self, width, layers, heads=1, shared=True, beta=0.0):
        super().__init__()
        if width % heads:
            raise MethodError(f"a width of {width} cannot be split over {heads} heads")
        self.heads, self.shared = heads, shared
        sets = 1 if shared else layers
        for name in ("w_q", "w_k", "w_v", "w_o"):
            setattr(self, name, nn.Parameter(torch.randn(sets, width, width) / width**0.5))
        self.beta = nn.Parameter(torch.full((layers,), float(beta)))

    def forward(self, states, rows, mask, layer):
        """What layer `layer` gains.

        states   (B, N, D)  the decoder's states after the layer norm
        rows     (B, R, D)  the bank
        mask     (B, R)     True where a row may be read; a bank without any gives zeros
        returns  (B, N, D)
        """
        i = 0 if self.shared else layer
        q, k, v = (
            self._split(x @ w[i])
            for x, w in ((states, self.w_q), (rows, self.w_k), (rows, self.w_v))
        )  # (B, H, N or R, D / H)
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5  # (B, H, N, R)
        scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        found = scores.softmax(-1) @ v  # (B, H, N, D / H)
        found = found.transpose(1, 2).flatten(2) @ self.w_o[i]  # (B, N, D)
        return self.beta[layer] * found * mask.any(1)[:, None, None]

    def _split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
