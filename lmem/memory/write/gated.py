"""Gated write: for every row and turn a gate decides between keeping the content and replacing it.

    C = softmax(P W_Q (Z W_K)^T / sqrt(D)) Z W_V      over the tokens
    g = sigmoid(P w_p + C w_c + b)                    one number per row
    P <- (1 - g) gamma P + g C                        chapter 8

C is what each row reads from the turn. g is the update gate of the GRU (Cho et al., 2014), one number for each row instead of
one for each feature. The paper's abstract promises a gated write, but its equations contain none (its M.5 writes like M.1).
`gamma` is 1 by default, since the gate decides what fades; `normalise` keeps every row at root mean square 1.
"""

from typing import Any

import torch
from torch import Tensor

from lmem.memory.bank import State
from lmem.memory.write.base import Write, unit


class GatedWrite(Write):
    """Write through an update gate; `bias` is b at the start, -2: nearly closed, so most rows keep their content."""

    def __init__(
        self, rows: int, width: int, gamma: float = 1.0, bias: float = -2.0, **options: Any
    ):
        super().__init__(rows, width, gamma=gamma, **options)
        self.w_q = self.draw(width, width)
        self.w_k = self.draw(width, width)
        self.w_v = self.draw(width, width)
        self.w_p = self.draw(width)
        self.w_c = self.draw(width)
        self.bias = self.draw(1)
        self.bias.data.fill_(bias)

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys = state.rows @ self.w_q, latents @ self.w_k  # (B, R, D), (B, N, D)
        scores = queries @ keys.transpose(1, 2) / self.width**0.5  # (B, R, N)
        scores = scores.masked_fill(~mask[:, None, :], torch.finfo(scores.dtype).min)
        content = scores.softmax(-1) @ (latents @ self.w_v)  # (B, R, D)
        gate = torch.sigmoid(state.rows @ self.w_p + content @ self.w_c + self.bias)[:, :, None]
        rows = (1 - gate) * self.gamma * state.rows + gate * content
        return unit(rows) if self.normalise else rows, self.all_rows(state)
