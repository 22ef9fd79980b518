"""Branch read (M.2): beside each frozen cross-attention runs a second one, over the bank.

    s + XAttn_frozen(s, Z) + beta_l softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v W_o      paper, section 3; chapter 5

s is the state after the layer's own layer norm. As printed: one head, projections shared by the layers, one scalar beta
per layer that starts at 0, so that an untrained adapter is exactly silent.
"""

import torch
from torch import nn

from lmem.errors import MethodError


class BranchRead(nn.Module):
    """A second cross-attention.

    heads, inner  attention heads, and the width they share (None: the model's own width D)
    shared        one set of projections for all layers
    beta          its start value
    """

    site = "decoder_layer"

    def __init__(self, width, layers, heads=1, inner=None, shared=True, beta=0.0):
        super().__init__()
        inner = inner or width
        if inner % heads:
            raise MethodError(f"a width of {inner} cannot be split over {heads} heads")
        self.heads, self.shared = heads, shared
        sets = 1 if shared else layers
        for name in ("w_q", "w_k", "w_v"):
            setattr(self, name, nn.Parameter(torch.randn(sets, width, inner) / width**0.5))
        self.w_o = nn.Parameter(torch.randn(sets, inner, width) / inner**0.5)
        self.beta = nn.Parameter(torch.full((layers,), float(beta)))

    @torch.no_grad()
    def borrow(self, modules):
        """Start from the frozen cross-attention beside each branch: it knows already what a latent says.

        modules  the sublayers of the site, one for each layer; T5 scales its queries by 1, we by 1 / sqrt(D_h)
        """
        size = (self.w_q.shape[2] // self.heads) ** 0.5
        for i, module in enumerate(modules):
            frozen = module.EncDecAttention
            for mine, theirs, scale in (
                (self.w_q, frozen.q, size), (self.w_k, frozen.k, 1), (self.w_v, frozen.v, 1), (self.w_o, frozen.o, 1),
            ):  # fmt: skip
                mine[i].copy_(theirs.weight.T * scale)

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
