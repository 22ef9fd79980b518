"""Slot write (M.6): the turn's mean goes into the k rows that it addresses; the other rows do not change.

    z = mean(Z);  a = z W_a P^T / sqrt(D);  s = the k rows with the largest a, ties to the smaller index
    P[s] <- gamma P[s] + (1 - gamma) z W_u                                          paper, section 3; chapter 8

W_a, W_u are random, N(0, 1/D). The paper applies a softmax to a first. It does not change the order, and in low precision it
creates ties, so the rows are chosen before it. Choosing has no gradient: as printed, W_a cannot learn. With `trainable` each
chosen row takes sigmoid(a) of the step, so it can. `normalise` keeps the written rows at root mean square 1.

Two options change what is written and where, and not the equation. `pool` replaces the mean: z = softmax(Z u)^T Z with a learned
u, so that the turn's informative tokens count more. `usage` takes usage / (turns since its last write) from a row's score a, so
that rows written lately are avoided; a large one always takes the rows written longest ago.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.options import Options
from lmem.memory.write.base import Write, unit


class SlotWrite(Write):
    """Write into `k` rows per turn: 8 as in the paper, or all rows of a bank that has fewer."""

    def __init__(
        self,
        rows: int,
        width: int,
        k: int = 8,
        usage: float = 0.0,
        pool: Literal["mean", "learned"] = "mean",
        **options: Any,
    ):
        """Draw the maps.

        Args:
            rows: R.
            width: D.
            k: Rows that a turn is written into.
            usage: Penalty of a row that was written in the turn before; half of it one turn later, a third two turns later.
            pool: "learned" weights the tokens by a learned query, in place of the mean.
            **options: Those of `Write`.

        Raises:
            MethodError: k or usage does not fit.
        """
        super().__init__(rows, width, **options)
        if not 1 <= k <= rows:
            raise MethodError(f"k must lie between 1 and the {rows} rows, not {k}")
        if usage < 0:
            raise MethodError(f"usage must be at least 0, not {usage}")
        self.k, self.usage, self.pool = k, usage, pool
        self.w_a = self.draw(width, width)
        self.w_u = self.draw(width, width)
        if pool == "learned":
            self.query = nn.Parameter(0.05 * torch.randn(width))

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        return super().complete(rows, width, {"k": min(8, rows), **given})

    def summary(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Return z (B, D) of a turn's latents (B, N, D) and mask (B, N)."""
        if self.pool == "mean":
            return latents.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        scores = (latents @ self.query).masked_fill(~mask, torch.finfo(latents.dtype).min)
        return torch.einsum("bn,bnd->bd", scores.softmax(1), latents)

    def choose(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return a turn's z (B, D), the scores a (B, R) and the chosen rows (B, k), best first."""
        z = self.summary(latents, mask)
        scores = torch.einsum("bd,brd->br", z @ self.w_a, state.rows) / self.width**0.5
        free = scores
        if self.usage:
            since = (state.turns[:, None] - state.written).to(scores.dtype)  # 1 for the turn before
            free = scores - torch.where(state.written >= 0, self.usage / since, 0)
        return z, scores, free.argsort(dim=1, descending=True, stable=True)[:, : self.k]

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        z, scores, chosen = self.choose(state, latents, mask)
        step = (1 - self.gamma) * torch.ones_like(scores)  # (B, R)
        if self.trainable:
            step = step * torch.sigmoid(scores)
        hit = torch.zeros_like(scores, dtype=torch.bool).scatter(1, chosen, True)
        step = (step * hit)[:, :, None]  # (B, R, 1)
        rows = state.rows + step * ((z @ self.w_u)[:, None] - state.rows)
        if self.normalise:
            rows = torch.where(hit[:, :, None], unit(rows), rows)
        return rows, torch.where(hit, state.turns[:, None], state.written)
