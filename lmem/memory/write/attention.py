"""Attention-coupled write (M.1, M.2, M.3, M.5): every token spreads its value over the rows that it attends to.

    A = softmax(Z W_Q (P W_K)^T / sqrt(D)) over the rows;  P <- gamma P + A^T (Z W_V)      paper, section 3; chapter 6

W_Q, W_K, W_V are random, N(0, 1/D). The size of a row grows with N / R, tokens over rows. `normalise` keeps every row at root
mean square 1 after each turn, so that capacity and scale can be told apart (chapter 13).

As printed, all rows start almost equal, so every token is spread evenly over them and they stay equal. `address` changes P_0 and
two maps, and not the equation: the first D / 8 numbers of a row are its address, drawn once. W_K sees nothing else of a row, W_V
never writes there, and no read sees it. So a token goes to the rows whose addresses fit it, whatever they contain already. With
gamma = 1 the addresses stay; otherwise they decay like all the rest.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.write.base import Write, unit


class AttentionWrite(Write):
    """Write by attention of the turn's tokens over the rows."""

    def __init__(self, rows: int, width: int, address: float = 0.0, **options: Any):
        """Draw P_0 and the maps.

        Args:
            rows: R.
            width: D.
            address: Standard deviation of a token's scores over the rows that their addresses give, for tokens of root mean square
                1 and maps N(0, 1/D): near 0 a token is spread evenly, at 10 it nearly always goes to a single row. 0: no
                addresses, as printed.
            **options: Those of `Write`.

        Raises:
            MethodError: address is negative.
        """
        super().__init__(rows, width, **options)
        if address < 0:
            raise MethodError(f"address must be at least 0, not {address}")
        self.address = max(1, width // 8) if address else 0  # numbers of a row that are its address
        if address:
            drawn = torch.randn(rows, self.address) * address * (width / self.address) ** 0.5
            self.p0 = nn.Buffer(torch.cat([drawn, self.p0[:, self.address :]], 1))
        self.w_q = self.draw(width, width)
        self.w_k = self.draw(width, width)
        self.w_v = self.draw(width, width)

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = state.rows @ self.w_k, latents @ self.w_v  # (B, R, D), (B, N, D)
        if self.address:
            keys = state.rows[:, :, : self.address] @ self.w_k[: self.address]
            values = self.contents(values)
        scores = latents @ self.w_q @ keys.transpose(1, 2) / self.width**0.5  # (B, N, R)
        share = scores.softmax(-1) * mask[:, :, None]
        rows = self.gamma * state.rows + share.transpose(1, 2) @ values  # (B, R, D)
        return unit(rows) if self.normalise else rows, self.all_rows(state)

    def contents(self, rows: Tensor) -> Tensor:
        """Return rows (B, R, D) with zeros in place of their addresses."""
        if not self.address:
            return rows
        return torch.cat(
            [torch.zeros_like(rows[..., : self.address]), rows[..., self.address :]], -1
        )
