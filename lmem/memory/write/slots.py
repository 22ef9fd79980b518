"""Slot write (M.6): the turn's mean goes into the k rows that it addresses, the others stay as they are.

    z = mean(Z);  a = z W_a P^T / sqrt(D);  s = the k rows with the largest a, ties to the smaller index
    P[s] <- gamma P[s] + (1 - gamma) z W_u                                          paper, section 3; chapter 8

W_a, W_u are random, N(0, 1/D). The paper takes a softmax of a first; it changes no order, and in low precision it makes ties,
so the rows are chosen before. Choosing has no gradient: as printed W_a cannot learn. With `trainable` each chosen row takes
sigmoid(a) of the step, which can. `normalise` holds the written rows at root mean square 1.
"""

import torch

from lmem.errors import MethodError
from lmem.memory.write.base import Write, unit


class SlotWrite(Write):
    def __init__(self, rows, width, k=8, **options):
        super().__init__(rows, width, **options)
        if not 1 <= k <= rows:
            raise MethodError(f"k must lie between 1 and the {rows} rows, not {k}")
        self.k = k
        self.map("w_a", width, width)
        self.map("w_u", width, width)

    def choose(self, rows, latents, mask):
        """Mean z (B, D), scores a (B, R) and the chosen rows (B, k), best first."""
        mean = latents.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)  # (B, D)
        scores = torch.einsum("bd,brd->br", mean @ self.w_a, rows) / self.width**0.5
        return mean, scores, scores.argsort(dim=1, descending=True, stable=True)[:, : self.k]

    def update(self, state, latents, mask):
        mean, scores, chosen = self.choose(state.rows, latents, mask)
        step = (1 - self.gamma) * torch.ones_like(scores)  # (B, R)
        if self.trainable:
            step = step * torch.sigmoid(scores)
        hit = torch.zeros_like(scores, dtype=torch.bool).scatter(1, chosen, True)
        step = (step * hit)[:, :, None]
        rows = state.rows + step * ((mean @ self.w_u)[:, None] - state.rows)
        if self.normalise:
            rows = torch.where(hit[:, :, None], unit(rows), rows)
        return rows, torch.where(hit, state.turns[:, None], state.written)
