"""Extension read (M.3, M.6): append the bank's rows to the encoder's output; the decoder's own attention selects among them.

    H = P W_mem;  every decoder layer's frozen K and V maps see [Z; H]      paper, section 3; chapter 4

W_mem starts at zero as in the paper, or at the identity for banks whose rows are already latents.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lmem.memory.read.base import Keys, Read, Seen


class ExtensionRead(Read):
    """Read through extra positions of the encoder's output; `start` is W_mem's start."""

    site = "encoder_output"
    from_bank_only = True

    def __init__(
        self, width: int, layers: int, rows: int = 0, start: Literal["zero", "identity"] = "zero"
    ):
        super().__init__()
        weight = torch.eye(width) if start == "identity" else torch.zeros(width, width)
        self.w_mem = nn.Parameter(weight)

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return the rows that join the encoder's output: (B, R, D) -> (B, R, D)."""
        return (rows @ self.w_mem,)

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Seen = None, keys: Keys = ()
    ) -> tuple[Tensor, Tensor]:
        """Return the extra rows (B, R, D) of rows (B, R, D), and the bank's mask (B, R)."""
        [extra] = keys or self.keys(rows)
        return extra, mask
