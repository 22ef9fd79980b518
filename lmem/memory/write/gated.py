"""Gated write: a gate decides for every row and turn between keeping what is there and replacing it.

    C = softmax(P W_Q (Z W_K)^T / sqrt(D)) Z W_V      over the tokens
    g = sigmoid(P w_p + C w_c + b)                    one number per row
    P <- (1 - g) gamma P + g C

C is what the turn has to say to each row; g, from the row and from what it is told, is the update gate of the GRU (Cho et al.,
2014), one for each row instead of one for each number. The paper's abstract promises a gated write, its equations hold none (its M.5 writes like M.1); this one is real; chapter 8.
`gamma` is 1 by default, since the gate decides what fades; `normalise` holds every row at root mean square 1.
"""

import torch

from lmem.memory.write.base import Write, unit


class GatedWrite(Write):
    def __init__(self, rows, width, gamma=1.0, bias=-2.0, **options):
        super().__init__(rows, width, gamma=gamma, **options)
        for name in ("w_q", "w_k", "w_v"):
            self.map(name, width, width)
        for name in ("w_p", "w_c"):
            self.map(name, width)
        self.map("bias", 1)
        self.bias.data.fill_(bias)  # closed at first: most rows keep what they have

    def update(self, state, latents, mask):
        queries, keys = state.rows @ self.w_q, latents @ self.w_k
        scores = queries @ keys.transpose(1, 2) / self.width**0.5  # (B, R, N)
        scores = scores.masked_fill(~mask[:, None, :], torch.finfo(scores.dtype).min)
        said = scores.softmax(-1) @ (latents @ self.w_v)  # (B, R, D)
        gate = torch.sigmoid(state.rows @ self.w_p + said @ self.w_c + self.bias)[:, :, None]
        rows = (1 - gate) * self.gamma * state.rows + gate * said
        return unit(rows) if self.normalise else rows, self.all_rows(state)
