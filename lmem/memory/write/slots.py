"""Slot write (M.6): the turn's mean goes into the k rows that it addresses; the other rows do not change.

    z = mean(Z);  a = z W_a P^T / sqrt(D);  s = the k rows with the largest a, ties to the smaller index
    P[s] <- gamma P[s] + (1 - gamma) z W_u                                          paper, section 3; chapter 8

W_a, W_u are random, N(0, 1/D). The paper applies a softmax to a first. It does not change the order, and in low precision it
creates ties, so the rows are chosen before it. Choosing has no gradient: as printed, W_a cannot learn. With `trainable` each
chosen row takes sigmoid(a) of the step, so it can. `normalise` keeps the written rows at root mean square 1.

Two options change what is written and where, and not the equation. `each="token"` writes every token by itself, so N is 1 and z is
a hidden state. `choose="empty"` sets W_a = -m m^T / m^T m, with m the mean of the latents of the backbone's vocabulary: nearly
all latents have a part along m, so rows that contain nothing have the largest a, and are chosen first.
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from lmem.backbone.latent_statistics import vocabulary_latents
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
        each: Literal["turn", "token"] = "turn",
        choose: Literal["drawn", "empty"] = "drawn",
        **options: Any,
    ):
        """Draw the maps.

        Args:
            rows: R.
            width: D.
            k: Rows that are written at once.
            each: What is written at once: the mean of a turn, or each of its tokens, one after the other.
            choose: "empty" sets W_a so that empty rows come first (`adapt`).
            **options: Those of `Write`.

        Raises:
            MethodError: k does not fit.
        """
        super().__init__(rows, width, **options)
        if not 1 <= k <= rows:
            raise MethodError(f"k must lie between 1 and the {rows} rows, not {k}")
        self.k, self.each, self.chosen_by = k, each, choose
        self.w_a = self.draw(width, width)
        self.w_u = self.draw(width, width)

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel) -> Self:
        """If rows are chosen by emptiness, set W_a to the mean of the vocabulary's latents."""
        if self.chosen_by == "empty" and not self.w_a.is_meta:
            mean = vocabulary_latents(model).mean(0)
            self.w_a.copy_(-torch.outer(mean, mean) / mean.square().sum())
        return self

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        return super().complete(rows, width, {"k": min(8, rows), **given})

    def choose(self, rows: Tensor, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean z (B, D), the scores a (B, R) and the chosen rows (B, k), best first."""
        mean = latents.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)  # (B, D)
        scores = torch.einsum("bd,brd->br", mean @ self.w_a, rows) / self.width**0.5
        return mean, scores, scores.argsort(dim=1, descending=True, stable=True)[:, : self.k]

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.each == "turn":
            return self.write_mean(state, latents, mask)
        for n in range(latents.shape[1]):
            token, given = latents[:, n : n + 1], mask[:, n : n + 1]
            rows, written = self.write_mean(state, token, given)
            rows = torch.where(given[:, :, None], rows, state.rows)
            state = State(rows, torch.where(given, written, state.written), state.turns)
        return state.rows, state.written

    def write_mean(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Write the mean of the latents (B, N, D); returns `rows` and `written` of the State after it."""
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
