"""Prefix read (M.1): the bank becomes soft tokens before the encoder's input; the frozen encoder selects among them.

    S = U_P P W_P;  Z = E([S; x]) without its first m positions      paper, section 3; chapter 3

U_P mixes R rows into m; it is the identity when m = R. W_P starts at zero as in the paper, or at c times the identity. A large c
lets rows pass through the encoder almost unchanged: what its layers add to them is small in comparison, and its last norm takes c out.

With `keep` the decoder also sees the first m positions, Z = E([S; x]).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lmem.errors import MethodError
from lmem.memory.read.base import Read, extra_mask


class PrefixRead(Read):
    """Read through `length` soft tokens (m); default: one for each row."""

    site = "encoder_input"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int,
        length: int | None = None,
        start: Literal["zero", "identity"] = "zero",
        times: float = 1.0,
        keep: bool = False,
    ):
        """Draw U_P if it is needed, and set W_P.

        Args:
            width: D.
            layers: Not used.
            rows: R.
            length: m; default: R.
            start: What W_P starts from.
            times: c.
            keep: Let the decoder see the positions of the soft tokens too.

        Raises:
            MethodError: m does not fit R.
        """
        super().__init__()
        self.keep = keep
        if length is not None and not 1 <= length <= rows:
            raise MethodError(
                f"a prefix of a bank with {rows} rows has 1 to {rows} tokens, not {length}"
            )
        weight = times * torch.eye(width) if start == "identity" else torch.zeros(width, width)
        self.w_p = nn.Parameter(weight)
        mix = None if length in (None, rows) else torch.randn(length, rows) / rows**0.5
        self.u_p: Tensor | None
        self.register_buffer("u_p", mix)  # not listed as trainable in the paper

    def forward(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the soft tokens (B, m, D) of rows (B, R, D), and their mask (B, m)."""
        if self.u_p is None:
            return rows @ self.w_p, mask
        mixed = self.u_p @ (rows * mask[:, :, None])  # (B, m, D)
        return mixed @ self.w_p, extra_mask(mask, mixed.shape[1])
