"""Attention-coupled write (M.1, M.2, M.3, M.5): every token spreads its value over the rows that it attends to.

    A = softmax(Z W_Q (P W_K)^T / sqrt(D)) over the rows;  P <- gamma P + A^T (Z W_V)      paper, section 3; chapter 6

W_Q, W_K, W_V are random, N(0, 1/D). The size of a row grows with N / R, tokens over rows. `normalise` keeps every row at root
mean square 1 after each turn, so that capacity and scale can be told apart (chapter 13).

As printed, all rows start almost equal, so every token is spread evenly over them and they stay equal. With `address` each row is
wider by D numbers that no turn changes and no read sees: its address a_r, drawn from N(0, 1). W_K sees only them, and W_Q whitens
the backbone's latents (C is their covariance over the vocabulary, m their mean), so that different tokens go to different rows:

    A = softmax(s Z W_Q (a W_K)^T / sqrt(D)),   W_Q = (1 - m m^T / |m|^2) C^(-1/2),   s = `address`

Then `normalise` shortens rows that are longer than a latent of the vocabulary is on average, so that empty rows stay empty.
With `strength` c, W_V is c times as large: of a full row of length l a new token is about c / (c + 1), whatever came before. So the
row holds the latest token instead of a sum of all.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.backbone.latent_statistics import whitening
from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.write.base import Write, unit


class AttentionWrite(Write):
    """Write by attention of the turn's tokens over the rows."""

    def __init__(
        self, rows: int, width: int, address: float = 0.0, strength: float = 1.0, **options: Any
    ):
        """Draw P_0 and the maps.

        Args:
            rows: R.
            width: D.
            address: Factor s of the scores; 0 has no addresses, as printed. With whitened latents and W_K at the identity s is
                the standard deviation of a token's scores: near 0 a token is spread evenly, at 30 it goes to nearly one row.
            strength: Factor c of W_V.
            **options: Those of `Write`.

        Raises:
            MethodError: address is negative, or strength is not positive.
        """
        super().__init__(rows, width, **options)
        if address < 0:
            raise MethodError(f"address must be at least 0, not {address}")
        if strength <= 0:
            raise MethodError(f"strength must be positive, not {strength}")
        self.address = address
        if address:
            self.addresses = nn.Buffer(torch.randn(rows, width))
            self.longest = nn.Buffer(torch.ones(()))  # root mean square of a row
        self.w_q = self.draw(width, width)
        self.w_k = self.draw(width, width)
        self.w_v = self.draw(width, width)
        with torch.no_grad():
            self.w_v.mul_(strength)

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel) -> Self:
        """With addresses, whiten the latents of the backbone's vocabulary with W_Q, and take their length as a row's limit."""
        if self.address and not self.w_q.is_meta:
            white, size = whitening(model)
            self.w_q.copy_(white.to(self.w_q))
            self.longest.copy_(size)
        return self

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        keys = (
            self.address * self.addresses if self.address else state.rows
        ) @ self.w_k  # (B, R, D)
        scores = latents @ self.w_q @ keys.transpose(-1, -2) / self.width**0.5  # (B, N, R)
        share = scores.softmax(-1) * mask[:, :, None]
        rows = self.gamma * state.rows + share.transpose(1, 2) @ (latents @ self.w_v)  # (B, R, D)
        if self.normalise:
            rows = self.shortened(rows) if self.address else unit(rows)
        return rows, self.all_rows(state)

    def shortened(self, rows: Tensor) -> Tensor:
        """Scale rows (..., D) down to the limit where they are longer."""
        size = rows.square().mean(-1, keepdim=True).sqrt()
        return rows * (self.longest / size.clamp(min=1e-12)).clamp(max=1)
