"""Slot write (M.6): the turn's mean goes into the k rows that it addresses; the other rows do not change.

    z = mean(Z);  a = z W_a P^T / sqrt(D);  s = the k rows with the largest a, ties to the smaller index
    P[s] <- gamma P[s] + (1 - gamma) z W_u                                          paper, section 3; chapter 8

W_a, W_u are random, N(0, 1/D). The paper applies a softmax to a first. It does not change the order, and in low precision it
creates ties, so the rows are chosen before it. Choosing has no gradient: as printed, W_a cannot learn. With `trainable` each
chosen row takes sigmoid(a) of the step, so it can. `normalise` keeps the written rows at root mean square 1.
"""

from typing import Any

import torch
from torch import Tensor

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.options import Options
from lmem.memory.write.base import Write, unit


class SlotWrite(Write):
    """Write into `k` rows per turn: 8 as in the paper, or all rows of a bank that has fewer."""

    def __init__(self, rows: int, width: int, k: int = 8, **options: Any):
        super().__init__(rows, width, **options)
        if not 1 <= k <= rows:
            raise MethodError(f"k must lie between 1 and the {rows} rows, not {k}")
        self.k = k
        self.w_a = self.draw(width, width)
        self.w_u = self.draw(width, width)

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        return super().complete(rows, width, {"k": min(8, rows), **given})

    def choose(self, rows: Tensor, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean z (B, D), the scores a (B, R) and the chosen rows (B, k), best first."""
        mean = latents.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)  # (B, D)
        scores = torch.einsum("bd,brd->br", mean @ self.w_a, rows) / self.width**0.5
        return mean, scores, scores.argsort(dim=1, descending=True, stable=True)[:, : self.k]

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mean, scores, chosen = self.choose(state.rows, latents, mask)
        step = (1 - self.gamma) * torch.ones_like(scores)  # (B, R)
        if self.trainable:
            step = step * torch.sigmoid(scores)
        hit = torch.zeros_like(scores, dtype=torch.bool).scatter(1, chosen, True)
        step = (step * hit)[:, :, None]  # (B, R, 1)
        rows = state.rows + step * ((mean @ self.w_u)[:, None] - state.rows)
        if self.normalise:
            rows = torch.where(hit[:, :, None], unit(rows), rows)
        return rows, torch.where(hit, state.turns[:, None], state.written)
