"""Attention-coupled write (M.1, M.2, M.3, M.5): every token spreads its value over the rows that it attends to.

    A = softmax(Z W_Q (P W_K)^T / sqrt(D)) over the rows;  P <- gamma P + A^T (Z W_V)      paper, section 3; chapter 6

W_Q, W_K, W_V are random, N(0, 1/D). The size of a row grows with N / R, tokens over rows. `normalise` keeps every row at root
mean square 1 after each turn, so that capacity and scale can be told apart (chapter 13).
"""

from typing import Any

from torch import Tensor

from lmem.memory.bank import State
from lmem.memory.write.base import Write, unit


class AttentionWrite(Write):
    """Write by attention of the turn's tokens over the rows."""

    def __init__(self, rows: int, width: int, **options: Any):
        super().__init__(rows, width, **options)
        self.w_q = self.draw(width, width)
        self.w_k = self.draw(width, width)
        self.w_v = self.draw(width, width)

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        keys = state.rows @ self.w_k  # (B, R, D)
        scores = latents @ self.w_q @ keys.transpose(1, 2) / self.width**0.5  # (B, N, R)
        share = scores.softmax(-1) * mask[:, :, None]
        rows = self.gamma * state.rows + share.transpose(1, 2) @ (latents @ self.w_v)  # (B, R, D)
        return unit(rows) if self.normalise else rows, self.all_rows(state)
